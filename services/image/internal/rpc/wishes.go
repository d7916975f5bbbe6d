package rpc

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"calotype/kit/fault"
	imagev1 "calotype/proto/image/v1"
	"calotype/services/image/internal/job"
)

var classes = map[job.Class]imagev1.Job_Priority{
	job.Interactive: imagev1.Job_INTERACTIVE, job.Normal: imagev1.Job_NORMAL, job.Bulk: imagev1.Job_BULK,
}

// wishesFromProto reads what the use cases then check; only what is no time at all is found here.
func wishesFromProto(p *imagev1.JobOptions) (job.Wishes, error) {
	w := job.Wishes{Tenant: p.GetTenant(), MaxAttempts: int(p.GetMaxAttempts()), Webhook: p.GetWebhookUrl(), Unique: p.GetUnique()}
	if p.GetPriority() != imagev1.Job_PRIORITY_UNSPECIFIED {
		w.Class = "unknown"
		for class, q := range classes {
			if q == p.GetPriority() {
				w.Class = class
			}
		}
	}
	if t := p.GetNotBefore(); t != nil {
		if t.CheckValid() != nil {
			return w, badOption("options.not_before", "is no time")
		}
		w.NotBefore = t.AsTime().Truncate(time.Microsecond)
	}
	var err error
	w.Keep, err = ttlFromProto("options.ttl", p.GetTtl())
	return w, err
}

// ttlFromProto reads a time to live; none at all is 0.
func ttlFromProto(path string, p *durationpb.Duration) (time.Duration, error) {
	if p == nil {
		return 0, nil
	}
	if d := p.AsDuration(); p.CheckValid() == nil && d > 0 {
		return d.Truncate(time.Microsecond), nil
	}
	return 0, badOption(path, "is not longer than 0")
}

func badOption(path, message string) error {
	return &fault.Error{Kind: fault.Invalid, Reason: "BAD_OPTIONS", Message: "the request is wrong", Fields: []fault.Field{{Path: path, Message: message}}}
}

func wishesToProto(w job.Wishes) *imagev1.JobOptions {
	p := &imagev1.JobOptions{
		Tenant: w.Tenant, Priority: classes[w.Class.OrNormal()], MaxAttempts: int32(w.MaxAttempts), NotBefore: timeToProto(w.NotBefore),
		WebhookUrl: w.Webhook, Unique: w.Unique,
	}
	if w.Keep > 0 {
		p.Ttl = durationpb.New(w.Keep)
	}
	return p
}
