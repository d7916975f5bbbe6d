package manager

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
)

const maxKey = 255 // bytes of an idempotency key

// desk is where work is accepted: once for each idempotency key, and durable before anybody is told.
type desk struct {
	register job.Register
	images   job.Images
	jobs     job.Jobs
	ids      *job.IDs
	now      func() time.Time
	keep     time.Duration
	mail     mail
	relay    *Relay
}

// Accepted is the answer to a request for work.
type Accepted struct {
	Image job.Image
	Job   *job.Job // nil when none was asked for
}

// earlier finds the answer that was given to the key before; nil when there is none.
func (d *desk) earlier(ctx context.Context, key string, payload job.Digest) (*Accepted, error) {
	if len(key) > maxKey {
		return nil, wrong("BAD_IDEMPOTENCY_KEY", fault.Field{Path: "idempotency_key", Message: "is longer than 255 bytes"})
	}
	if key == "" {
		return nil, nil
	}
	r, err := d.register.Receipt(ctx, key, d.now())
	switch {
	case err != nil && fault.Is(err, fault.NotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case r.Payload != payload:
		return nil, job.KeyReused()
	}
	return d.answer(ctx, r)
}

// accept commits a new image, or a job on one that is there, or both. The queue is told later: a caller never waits for it.
func (d *desk) accept(ctx context.Context, a Accepted, isNew bool, key string, payload job.Digest) (Accepted, error) {
	now := d.now()
	c := job.Commit{Receipt: job.Receipt{Key: key, Payload: payload, Image: a.Image.ID, Created: now, Expires: now.Add(d.keep)}}
	if isNew {
		c.Image = &a.Image
	}
	if a.Job != nil {
		accepted, events := job.Accept(*a.Job, now)
		outbox, err := d.mail.task(ctx, accepted)
		if err != nil {
			return Accepted{}, err
		}
		a.Job = &accepted
		c.Jobs, c.Receipt.Job = []job.Change{{Job: accepted, Events: events, Outbox: outbox}}, accepted.ID
	}
	inForce, err := d.register.Commit(ctx, c)
	if err != nil {
		return Accepted{}, err
	}
	if inForce.Image != c.Receipt.Image || inForce.Job != c.Receipt.Job { // somebody was faster under the same key
		before, err := d.answer(ctx, inForce)
		if err != nil {
			return Accepted{}, err
		}
		return *before, nil
	}
	d.relay.Wake()
	return a, nil
}

// answer repeats an answer, with the job as it stands now.
func (d *desk) answer(ctx context.Context, r job.Receipt) (*Accepted, error) {
	im, err := d.images.Image(ctx, r.Image)
	if err != nil {
		return nil, err
	}
	a := &Accepted{Image: im}
	if r.Job != "" {
		j, err := d.jobs.Job(ctx, r.Job)
		if err != nil {
			return nil, err
		}
		a.Job = &j
	}
	return a, nil
}

func (d *desk) newJob(im job.Image, r recipe.Recipe, preset string) *job.Job {
	return &job.Job{ID: d.ids.Job(d.now()), ImageID: im.ID, Original: im.Digest, Recipe: r, Preset: preset}
}

// payload is the digest of what a request means, so that a key can be told from the same key with another request. The recipe's JSON
// is its canonical form: two ways to write one recipe are one payload.
func payload(method string, subject, filename string, w Work) (job.Digest, error) {
	b, err := json.Marshal(struct {
		Method, Subject, Filename string
		Work
	}{method, subject, filename, w})
	if err != nil {
		return "", fault.Wrap(err, fault.Internal, "", "the request cannot be compared with earlier ones")
	}
	sum := sha256.Sum256(b)
	return job.Digest(hex.EncodeToString(sum[:])), nil
}

func wrong(reason string, fields ...fault.Field) error {
	return &fault.Error{Kind: fault.Invalid, Reason: reason, Message: "the request is wrong", Fields: fields}
}
