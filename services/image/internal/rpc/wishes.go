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
	var fields []fault.Field
	if t := p.GetNotBefore(); t != nil {
		if t.CheckValid() != nil {
			fields = append(fields, fault.Field{Path: "options.not_before", Message: "is no time"})
		}
		w.NotBefore = t.AsTime().Truncate(time.Microsecond)
	}
	var said string
	if w.Keep, said = ttlFromProto(p.GetTtl()); said != "" {
		fields = append(fields, fault.Field{Path: "options.ttl", Message: said})
	}
	return w, badOptions(fields...)
}

// ttlFromProto reads a time to live, and tells what is wrong with it; none at all is 0.
func ttlFromProto(p *durationpb.Duration) (ttl time.Duration, wrong string) {
	if p == nil {
		return 0, ""
	}
	switch d := p.AsDuration(); {
	case p.CheckValid() != nil:
		return 0, "is no length of time"
	case d <= 0:
		return 0, "is not longer than 0"
	case d < time.Second:
		return 0, "is shorter than 1 s"
	default:
		return d.Truncate(time.Microsecond), ""
	}
}

func badOptions(fields ...fault.Field) error {
	if len(fields) == 0 {
		return nil
	}
	return &fault.Error{Kind: fault.Invalid, Reason: "BAD_OPTIONS", Message: "the request is wrong", Fields: fields}
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
