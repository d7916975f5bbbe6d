package job

// Turns shares deliveries out among classes by their weights: a class gains its weight in each round in which it waits, and the one
// that has most goes first and pays for all. One that does not wait saves nothing up. It is not for concurrent use.
type Turns map[Class]int

// Next tells whose turn it is, and false when nobody waits.
func (t Turns) Next(waits func(Class) bool) (first Class, any bool) {
	total := 0
	for _, class := range Classes() {
		if !waits(class) {
			t[class] = 0
			continue
		}
		t[class] += class.Weight()
		total += class.Weight()
		if !any || t[class] > t[first] {
			first, any = class, true
		}
	}
	if any {
		t[first] -= total
	}
	return first, any
}
