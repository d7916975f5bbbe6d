package job

// First is the event that every job begins with. It follows from the job as it stands at any later time, so that nobody needs to keep it.
func First(j Job) Event {
	e := Event{Job: j.ID, Sequence: 1, Time: j.Created, State: Queued}
	if j.NotBefore.After(j.Created) {
		e.State = Scheduled
	}
	return e
}

// End is the event that a job has ended with, which follows from the job until it is queued again; false when it has not ended.
func End(j Job) (Event, bool) {
	if !j.State.Ended() {
		return Event{}, false
	}
	return Event{
		Job: j.ID, Sequence: j.Sequence, Time: j.Ended, State: j.State, Attempt: j.Attempts, Node: j.Node, Progress: j.Progress, Failure: j.Failure,
	}, true
}

// Follows reports whether an event follows from the job that it leaves behind.
func (e Event) Follows() bool { return e.Sequence == 1 || e.State.Ended() }

// History joins the events of a job that were kept, in order, with those that follow from it: up to limit of those after a sequence.
func History(j Job, kept []Event, after int64, limit int) []Event {
	var all []Event
	add := func(e Event) {
		if e.Sequence > after && len(all) < limit {
			all, after = append(all, e), e.Sequence
		}
	}
	add(First(j))
	for _, e := range kept {
		add(e)
	}
	if end, ended := End(j); ended {
		add(end)
	}
	return all
}
