package litequeue

// Kill leaves the file as a process does that is killed: nothing is written any more.
func (q *Queue) Kill() {
	q.abandon = true
	_ = q.Close()
}
