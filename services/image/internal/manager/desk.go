package manager

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"slices"
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
	backlog  *backlog
	counts   *Counts
	log      *slog.Logger
}

// Accepted is the answer to a request for work.
type Accepted struct {
	Image job.Image
	Job   *job.Job // nil when none was asked for
}

// earlier finds what was accepted under the key before; nil when there is nothing.
func (d *desk) earlier(ctx context.Context, key string, payload job.Digest) (*job.Receipt, error) {
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
	return &r, nil
}

// accept commits a new image, or a job on one that is there, or both.
func (d *desk) accept(ctx context.Context, a Accepted, isNew bool, key string, payload job.Digest) (Accepted, error) {
	c := job.Commit{Receipt: d.receipt(key, payload)}
	c.Receipt.Image = a.Image.ID
	if isNew {
		c.Image = &a.Image
	}
	if a.Job != nil {
		change, err := d.begin(ctx, *a.Job, c.Receipt.Created)
		if err != nil {
			return Accepted{}, err
		}
		a.Job = &change.Job
		c.Jobs, c.Receipt.Job = []job.Change{change}, change.Job.ID
	}
	inForce, err := d.commit(ctx, c)
	if err != nil {
		return Accepted{}, err
	}
	if !same(inForce, c.Receipt) { // somebody was faster under the same key, or with the same wish
		return d.answer(ctx, inForce)
	}
	return a, nil
}

// acceptBatch commits jobs on images that are there.
func (d *desk) acceptBatch(ctx context.Context, jobs []job.Job, tenant, key string, payload job.Digest) (job.BatchID, error) {
	c := job.Commit{Receipt: d.receipt(key, payload)}
	now := c.Receipt.Created
	c.Batch = &job.Batch{ID: d.ids.Batch(now), Tenant: tenant, Total: len(jobs), Created: now}
	c.Receipt.Batch, c.Jobs = c.Batch.ID, make([]job.Change, 0, len(jobs))
	for _, j := range jobs {
		j.BatchID = c.Batch.ID
		change, err := d.begin(ctx, j, now)
		if err != nil {
			return "", err
		}
		c.Jobs = append(c.Jobs, change)
	}
	inForce, err := d.commit(ctx, c)
	return inForce.Batch, err
}

func (d *desk) receipt(key string, payload job.Digest) job.Receipt {
	now := d.now()
	return job.Receipt{Key: key, Payload: payload, Created: now, Expires: now.Add(d.keep)}
}

// begin accepts a job and writes its task, unless it waits for its time.
func (d *desk) begin(ctx context.Context, j job.Job, now time.Time) (job.Change, error) {
	accepted, events := job.Accept(j, now)
	c := job.Change{Job: accepted, Events: events}
	if accepted.State == job.Scheduled {
		return c, nil
	}
	outbox, err := d.mail.task(ctx, accepted)
	c.Outbox = outbox
	return c, err
}

// commit makes it durable. The queue is told later: a caller never waits for it.
func (d *desk) commit(ctx context.Context, c job.Commit) (job.Receipt, error) {
	n := 0
	for _, j := range c.Jobs {
		n += len(j.Outbox)
	}
	if err := d.backlog.reserve(n); err != nil {
		return job.Receipt{}, err
	}
	inForce, err := d.register.Commit(ctx, c)
	if err != nil || !same(inForce, c.Receipt) {
		d.backlog.free(n) // nothing was kept
		return inForce, err
	}
	if n > 0 {
		d.relay.Wake(classesOf(c.Jobs)...)
	}
	d.counts.accept(c.Jobs)
	tellAccepted(ctx, d.log, c)
	return inForce, nil
}

// classesOf are those of the messages that changes bring; of a batch's many, mostly one.
func classesOf(changes []job.Change) (all []job.Class) {
	for _, c := range changes {
		for _, m := range c.Outbox {
			if class := m.Class.OrNormal(); !slices.Contains(all, class) {
				all = append(all, class)
			}
		}
	}
	return all
}

// same reports whether two receipts are of the same commit.
func same(a, b job.Receipt) bool { return a.Image == b.Image && a.Job == b.Job && a.Batch == b.Batch }

// answer repeats an answer, with the job as it stands now.
func (d *desk) answer(ctx context.Context, r job.Receipt) (Accepted, error) {
	im, err := d.images.Image(ctx, r.Image)
	if err != nil {
		return Accepted{}, err
	}
	a := Accepted{Image: im}
	if r.Job != "" {
		j, err := d.jobs.Job(ctx, r.Job)
		if err != nil {
			return Accepted{}, err
		}
		a.Job = &j
	}
	return a, nil
}

func (d *desk) newJob(im job.Image, r recipe.Recipe, preset string, w job.Wishes) *job.Job {
	return &job.Job{ID: d.ids.Job(d.now()), ImageID: im.ID, Original: im.Digest, Recipe: r, Preset: preset, Wishes: w}
}

// payload is what a request means, so that a key can be told from the same key with another request. The recipe's JSON
// is its canonical form: two ways to write one recipe are one payload.
type payload struct {
	Method, Subject, Filename string
	Keep                      time.Duration `json:",omitempty"`
	Wishes                    *job.Wishes   `json:",omitempty"`
	Work
}

// digest is empty without a key, with which alone it is compared.
func (p payload) digest(key string, w job.Wishes) (job.Digest, error) {
	if key == "" {
		return "", nil
	}
	if w.Class == job.Normal {
		w.Class = "" // which means the same
	}
	if w != (job.Wishes{}) {
		p.Wishes = &w
	}
	b, err := json.Marshal(p)
	if err != nil {
		return "", fault.Wrap(err, fault.Internal, "", "the request cannot be compared with earlier ones")
	}
	sum := sha256.Sum256(b)
	return job.Digest(hex.EncodeToString(sum[:])), nil
}

// together joins what several looks at one request found wrong, so that a caller is told all of it.
func together(errs ...error) error {
	var all *fault.Error
	for _, err := range errs {
		f := fault.As(err)
		switch {
		case err == nil:
		case f == nil || f.Kind != fault.Invalid:
			return err
		case all == nil:
			all = &fault.Error{Kind: f.Kind, Reason: f.Reason, Message: f.Message, Fields: slices.Clone(f.Fields)}
		default:
			all.Fields = append(all.Fields, f.Fields...)
		}
	}
	if all == nil {
		return nil
	}
	return all
}

func wrong(reason string, fields ...fault.Field) error {
	return &fault.Error{Kind: fault.Invalid, Reason: reason, Message: "the request is wrong", Fields: fields}
}
