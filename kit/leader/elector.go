package leader

import (
	"context"
	"crypto/rand"
	"time"
)

// elector elects by a cell for each duty.
type elector struct {
	*office
	cfg  Config
	cell func(duty string) cell

	close func() error // nil: there is nothing to let go of
}

// Close lets go of the connections to what keeps the votes.
func (e *elector) Close() error {
	if e.close == nil {
		return nil
	}
	return e.close()
}

// Lead implements Elector.
func (e *elector) Lead(ctx context.Context, duty string, work Work) error {
	if err := validDuty(duty); err != nil {
		return err
	}
	e.standing(duty)
	s := &seat{office: e.office, cell: e.cell(duty), duty: duty, holder: rand.Text()}
	for ctx.Err() == nil {
		r, ok := s.stand(ctx)
		if !ok {
			return nil
		}
		if err := s.serve(ctx, r, work); !e.rest(ctx, r.term, err) {
			return nil
		}
	}
	return nil
}

// Leader implements Elector.
func (e *elector) Leader(ctx context.Context, duty string) (Holder, error) {
	if err := validDuty(duty); err != nil {
		return Holder{}, err
	}
	v, err := e.cell(duty).read(ctx, 0, 0)
	if err != nil {
		return Holder{}, err
	}
	if !v.there || v.session == "" || v.record.Released {
		return Holder{}, nobody(duty)
	}
	r := v.record
	return Holder{Node: r.Node, Fence: r.Fence, Since: r.Since, Heartbeat: r.At}, nil
}

// seat is one Lead: now it stands for election, now it serves.
type seat struct {
	*office
	cell    cell
	duty    string
	holder  string // of this seat's records
	looked  bool   // or tried to: what is there is no longer seen for the first time
	failing bool   // the last question was not answered
}

// reign is a term and what keeps it.
type reign struct {
	term    Term
	session string
	record  record
	start   time.Time // the last heartbeat that arrived was sent then, or after
}

// heard tells of an outage once, and of its end.
func (s *seat) heard(err error) bool {
	switch {
	case err != nil && !s.failing:
		s.log.Warn("the election cannot go on; trying again", "duty", s.duty, "error", err)
	case err == nil && s.failing:
		s.log.Info("the election goes on", "duty", s.duty)
	}
	s.failing = err != nil
	return err == nil
}
