package rabbitmq

// Kill leaves as a process does that is killed.
func (q *Queue) Kill() {
	q.abandon = true
	_ = q.Close()
}
