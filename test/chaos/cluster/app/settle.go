package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	imagev1 "calotype/proto/image/v1"
	"calotype/test/caller"
	"calotype/test/chaos/internal/ledger"
	"calotype/test/chaos/internal/load"
	"calotype/test/chaos/internal/report"
	"calotype/test/compose"
	"calotype/test/receiver"
)

const (
	// endWithin bounds how long after the last upload every job has ended.
	endWithin = 3 * time.Minute
	// toldWithin bounds how long after that every webhook has come. One that was on its way when its sender died is sent again after minutes.
	toldWithin = 7 * time.Minute
)

// listen serves the receiver of webhooks at the host's own address in the cluster's network, which its containers reach.
func listen(ctx context.Context, cfg Config, p compose.Project) (h hooks, stop func(), _ error) {
	if cfg.Secrets == "" {
		return h, func() {}, nil
	}
	secrets, err := os.ReadFile(cfg.Secrets)
	if err != nil {
		return h, nil, err
	}
	if h.Receiver, err = receiver.New(string(secrets)); err != nil {
		return h, nil, err
	}
	host := "127.0.0.1"
	if p.Name != "" {
		if host, err = p.Host(ctx, "services"); err != nil {
			return h, nil, err
		}
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return h, nil, fmt.Errorf("listening for webhooks where the containers reach it: %w", err)
	}
	h.url = "http://" + l.Addr().String() + "/"
	server := &http.Server{Handler: h.Receiver, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(l) }() // until it is closed
	return h, func() { _ = server.Close() }, nil
}

// settle waits for the ends of all that was acknowledged and compares; the jobs come back as samples, from acceptance to end.
func (w *world) settle(ctx context.Context, r *report.Report, hook *receiver.Receiver) (jobs []load.Sample) {
	began, acked := time.Now(), w.ledger.Acked()
	r.Ledger.Acknowledged = len(acked)
	r.Ledger.Refused, _ = w.ledger.Refusals()
	if err := w.ended(ctx, acked); err != nil {
		r.Ledger.Wrong = append(r.Ledger.Wrong, "not every job has ended: "+err.Error())
	}
	r.Ledger.Settled = time.Since(began)
	auditor := &ledger.Auditor{Caller: w.Caller, Want: w.want, AtOnce: 4}
	for _, f := range auditor.Audit(ctx, acked) {
		if f.Err != nil {
			r.Ledger.Wrong = append(r.Ledger.Wrong, f.Err.Error())
			continue
		}
		r.Ledger.Succeeded++
		if f.Attempts > 1 {
			r.Ledger.Repeated++
		}
		took := f.Ended.Sub(f.Created)
		r.Ledger.LongestInLine = max(r.Ledger.LongestInLine, took)
		jobs = append(jobs, load.Sample{Kind: "job, from acceptance to end", Behind: true, Due: f.Created, Took: took, Note: f.Job})
	}
	w.told(ctx, r, hook, acked)
	return jobs
}

// ended waits until every job has.
func (w *world) ended(ctx context.Context, left []ledger.Entry) error {
	ctx, cancel := context.WithTimeout(ctx, endWithin)
	defer cancel()
	return caller.Until(ctx, beat, func(ctx context.Context) error {
		for len(left) > 0 {
			j := &imagev1.Job{}
			if err := w.Fetch(ctx, "/v1/jobs/"+left[0].Job, j); err != nil {
				return err
			}
			switch j.GetState() {
			case imagev1.Job_QUEUED, imagev1.Job_RUNNING, imagev1.Job_SCHEDULED, imagev1.Job_STATE_UNSPECIFIED:
				return fmt.Errorf("%s is %v", j.GetId(), j.GetState())
			case imagev1.Job_SUCCEEDED, imagev1.Job_FAILED, imagev1.Job_CANCELLED, imagev1.Job_DEAD:
			}
			left = left[1:]
		}
		return nil
	})
}

// told waits for the webhooks: exactly one about each.
func (w *world) told(ctx context.Context, r *report.Report, hook *receiver.Receiver, acked []ledger.Entry) {
	if w.query.Get("webhook_url") == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, toldWithin)
	defer cancel()
	err := caller.Until(ctx, beat, func(context.Context) error {
		var missing []error
		for _, e := range acked {
			if hook.Of(e.Job) == 0 {
				missing = append(missing, fmt.Errorf("%s has no webhook", e.Job))
			}
		}
		return errors.Join(missing...)
	})
	if err != nil {
		r.Ledger.Wrong = append(r.Ledger.Wrong, err.Error())
	}
	for _, e := range acked {
		switch n := hook.Of(e.Job); {
		case n == 1:
			r.Ledger.Webhooks++
		case n > 1:
			r.Ledger.Wrong = append(r.Ledger.Wrong, fmt.Sprintf("%s has %d webhooks", e.Job, n))
		}
	}
	r.Ledger.Copies = hook.Copies()
	r.Ledger.Wrong = append(r.Ledger.Wrong, hook.Wrong()...)
}
