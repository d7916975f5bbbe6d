package worker

// Load tells how many pictures the node works on at once at most, on how many it does, and how many wait for a slot.
func (w *Worker) Load() (slots, inFlight, waiting int) {
	s := w.Consumer.slots
	s.mu.Lock()
	defer s.mu.Unlock()
	for who := range sides {
		inFlight += s.used[who]
		waiting += len(s.queue[who]) + s.room.waiting[who]
	}
	return s.each + 1, inFlight, waiting // see slots: both sides together have one more than each
}
