package litequeue

import "calotype/services/image/internal/job"

// turns shares deliveries out among classes by their weights: a class gains its weight in each round in which it waits, and the one
// that has most goes first and pays for all. One that does not wait saves nothing up.
type turns map[job.Class]int

// next takes the message whose turn it is.
func (t turns) next(waiting map[job.Class][]candidate) (c candidate, any bool) {
	var first job.Class
	total := 0
	for _, class := range job.Classes() {
		if len(waiting[class]) == 0 {
			t[class] = 0
			continue
		}
		t[class] += class.Weight()
		total += class.Weight()
		if !any || t[class] > t[first] {
			first, any = class, true
		}
	}
	if !any {
		return candidate{}, false
	}
	t[first] -= total
	c, waiting[first] = waiting[first][0], waiting[first][1:]
	return c, true
}
