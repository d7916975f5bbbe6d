package worker

// overtakes is how many may be let in before one that has no room yet and came earlier: what is small need not wait behind what is large,
// nor that for ever.
const overtakes = 16

// room is the memory for what is worked on at once, in bytes that were foreseen. What does not fit waits, and is let in as others leave:
// in order, but for what fits before. What would take more than three quarters of it counts as these, so that what is small goes on beside
// it: what is larger than all of it takes that much more. It is used with the lock of its slots.
type room struct {
	size    int64 // 0: without a bound
	used    int64
	queue   []*hold
	waiting [sides]int
}

// share is what a weight counts.
func (r *room) share(weight int64) int64 {
	if r.size == 0 {
		return weight
	}
	return min(weight, r.size-r.size/4)
}

// fits reports whether there is room.
func (r *room) fits(weight int64) bool {
	return r.size == 0 || r.used+weight <= r.size
}

// enter lets in what has a slot if it fits and overtakes nobody too often, else it waits for both.
func (r *room) enter(h *hold) bool {
	h.weight = r.share(h.weight)
	if r.fits(h.weight) && r.passable(len(r.queue)) {
		r.admit(h, len(r.queue))
		return true
	}
	h.state, h.turn = aside, make(chan struct{})
	r.queue = append(r.queue, h)
	r.waiting[h.who]++
	return false
}

// grant gives those that are let in now, with a slot each.
func (r *room) grant(open func(side) bool, slot func(side)) (in []*hold) {
	for i := 0; i < len(r.queue) && r.passable(i); {
		h := r.queue[i]
		if !open(h.who) || !r.fits(h.weight) {
			i++
			continue
		}
		r.remove(i)
		slot(h.who)
		r.admit(h, i)
		in = append(in, h)
	}
	return in
}

// passable reports whether the first n that wait may be overtaken once more.
func (r *room) passable(n int) bool {
	for _, h := range r.queue[:n] {
		if h.passed >= overtakes {
			return false
		}
	}
	return true
}

// admit lets in one before the first n that wait.
func (r *room) admit(h *hold, n int) {
	for _, other := range r.queue[:n] {
		other.passed++
	}
	h.state = admitted
	r.used += h.weight
}

// leave is for who was let in.
func (r *room) leave(weight int64) { r.used -= weight }

// quit is for who waits no longer.
func (r *room) quit(h *hold) {
	for i, other := range r.queue {
		if other == h {
			r.remove(i)
			h.state = left
			return
		}
	}
}

func (r *room) remove(i int) {
	r.waiting[r.queue[i].who]--
	r.queue = append(r.queue[:i:i], r.queue[i+1:]...)
}
