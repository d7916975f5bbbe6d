package upload

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"calotype/kit/fault"
	imagev1 "calotype/proto/image/v1"
)

// optionNames are the parameters and form fields that say how the job is to be run, and image_ttl, which is the image's own.
const optionNames = "tenant, priority, max_attempts, not_before, ttl, webhook_url, unique and image_ttl"

// option reads one of them into the request. It tells whether there is such an option, and what is wrong with the value; "" is nothing.
func option(req *imagev1.CreateImageRequest, name, value string) (known bool, wrong string) {
	o := req.Options
	if o == nil {
		o = &imagev1.JobOptions{}
	}
	switch name {
	case "tenant":
		o.Tenant = value
	case "webhook_url":
		o.WebhookUrl = value
	case "priority":
		p, ok := imagev1.Job_Priority_value[strings.ToUpper(value)]
		if !ok || p == 0 {
			return true, "is not interactive, normal or bulk"
		}
		o.Priority = imagev1.Job_Priority(p)
	case "max_attempts":
		n, err := strconv.ParseInt(value, 10, 32)
		switch {
		case errors.Is(err, strconv.ErrRange):
			return true, "is too large a number"
		case err != nil:
			return true, "is not a whole number"
		}
		o.MaxAttempts = int32(n)
	case "not_before":
		t, err := time.Parse(time.RFC3339Nano, value)
		if err != nil {
			return true, "is no time in RFC 3339, for example 2026-05-04T03:02:01Z"
		}
		o.NotBefore = timestamppb.New(t)
	case "unique":
		b, err := strconv.ParseBool(value)
		if err != nil {
			return true, "is not true or false"
		}
		o.Unique = b
	case "ttl", "image_ttl":
		d, err := time.ParseDuration(value)
		if err != nil {
			return true, "is no length of time, for example 90s or 72h"
		}
		if name == "image_ttl" {
			req.Ttl = durationpb.New(d)
			return true, ""
		}
		o.Ttl = durationpb.New(d)
	default:
		return false, ""
	}
	req.Options = o
	return true, ""
}

// asSent renames what the image service found wrong to what the uploader called it.
func asSent(err error) error {
	f := fault.As(err)
	if f == nil || len(f.Fields) == 0 {
		return err
	}
	sent := *f
	sent.Fields = nil
	for _, field := range f.Fields {
		switch path, isOption := strings.CutPrefix(field.Path, "options."); {
		case isOption:
			field.Path = path
		case path == "ttl":
			field.Path = "image_ttl"
		case path == "idempotency_key":
			field.Path = "Idempotency-Key"
		}
		sent.Fields = append(sent.Fields, field)
	}
	return &sent
}
