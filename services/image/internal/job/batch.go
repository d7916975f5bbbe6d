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

// Ended reports whether nothing more happens to it by itself.
func (b Batch) Ended() bool {
	for s, n := range b.Counts {
		if n > 0 && !s.Ended() {
			return false
		}
	}
	return true
}
