package job

import "time"

// Batch is jobs that were asked for together.
type Batch struct {
	ID      BatchID
	Tenant  string
	Total   int // jobs it began with
	Created time.Time
	// Counts says how many of its jobs stand where; jobs that were forgotten with their images are in none.
	Counts map[State]int
	// Percent is the mean progress of its jobs, where what has ended counts as 100, 0..100.
	Percent int
	Updated time.Time // when something happened to one of them last
}

// Standing is how many of a batch's jobs stand in a state, and how far these are together.
type Standing struct {
	State   State
	Jobs    int
	Percent int       // the sum over the jobs
	Updated time.Time // the newest of them
}

// Count gives the batch with its counts and its progress, from where all its jobs stand.
func (b Batch) Count(all []Standing) Batch {
	b.Counts, b.Percent, b.Updated = map[State]int{}, 100, b.Created
	jobs, done := 0, 0
	for _, s := range all {
		if s.State.Ended() {
			s.Percent = 100 * s.Jobs
		}
		b.Counts[s.State], jobs, done = s.Jobs, jobs+s.Jobs, done+s.Percent
		if s.Updated.After(b.Updated) {
			b.Updated = s.Updated
		}
	}
	if jobs > 0 {
		b.Percent = done / jobs
	}
	return b
}

// Ended reports whether nothing more happens to it by itself.
func (b Batch) Ended() bool {
	for s, n := range b.Counts {
		if n > 0 && !s.Ended() {
			return false
		}
	}
	return true
}
