package rabbitmq

import "calotype/services/image/internal/job"

// turns shares deliveries out among classes by their weights: a class gains its weight in each round in which it waits, and the one
// that has most goes first and pays for all. One that does not wait saves nothing up.
type turns map[job.Class]int

// next tells whose turn it is; waiting reports whether a class waits.
func (t turns) next(waiting func(job.Class) bool) (first job.Class, any bool) {
	total := 0
	for _, class := range job.Classes() {
		if !waiting(class) {
			t[class] = 0
			continue
		}
		t[class] += class.Weight()
		total += class.Weight()
		if !any || t[class] > t[first] {
			first, any = class, true
		}
	}
	t[first] -= total
	return first, any
}
