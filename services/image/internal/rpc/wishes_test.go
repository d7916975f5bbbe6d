package rpc

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"calotype/kit/fault"
	imagev1 "calotype/proto/image/v1"
	"calotype/services/image/internal/job"
)

func TestWishesCrossTheWireUnchanged(t *testing.T) {
	at := time.Date(2026, 5, 4, 3, 2, 1, 123456000, time.UTC)
	for _, want := range []job.Wishes{
		{Class: job.Normal},
		{Tenant: "t", Class: job.Interactive, MaxAttempts: 7, NotBefore: at, Keep: 90 * time.Minute, Webhook: "https://example.com", Unique: true},
		{Class: job.Bulk, Keep: time.Second},
	} {
		got, err := wishesFromProto(wishesToProto(want))
		if err != nil || got != want {
			t.Errorf("%+v came back as %+v, %v", want, got, err)
		}
	}
	if none, err := wishesFromProto(nil); err != nil || none != (job.Wishes{}) {
		t.Errorf("no options are %+v, %v", none, err)
	}
	// A fraction of a microsecond is more than a store keeps.
	p := &imagev1.JobOptions{NotBefore: timestamppb.New(at.Add(789)), Ttl: durationpb.New(time.Minute + 1)}
	if w, err := wishesFromProto(p); err != nil || !w.NotBefore.Equal(at) || w.Keep != time.Minute {
		t.Errorf("%+v, %v", w, err)
	}
}

func TestOptionsThatAreNone(t *testing.T) {
	for name, c := range map[string]struct {
		options *imagev1.JobOptions
		paths   []string
	}{
		"a time before all time":  {&imagev1.JobOptions{NotBefore: &timestamppb.Timestamp{Seconds: math.MinInt64}}, []string{"options.not_before"}},
		"nanoseconds out of hand": {&imagev1.JobOptions{NotBefore: &timestamppb.Timestamp{Nanos: -1}}, []string{"options.not_before"}},
		"no length":               {&imagev1.JobOptions{Ttl: &durationpb.Duration{}}, []string{"options.ttl"}},
		"a negative length":       {&imagev1.JobOptions{Ttl: durationpb.New(-time.Second)}, []string{"options.ttl"}},
		"less than a microsecond": {&imagev1.JobOptions{Ttl: durationpb.New(1)}, []string{"options.ttl"}},
		"signs that differ":       {&imagev1.JobOptions{Ttl: &durationpb.Duration{Seconds: 1, Nanos: -1}}, []string{"options.ttl"}},
		"longer than any":         {&imagev1.JobOptions{Ttl: &durationpb.Duration{Seconds: math.MaxInt64}}, []string{"options.ttl"}},
		"both": {&imagev1.JobOptions{NotBefore: &timestamppb.Timestamp{Nanos: -1}, Ttl: durationpb.New(-time.Second)},
			[]string{"options.not_before", "options.ttl"}},
	} {
		_, err := wishesFromProto(c.options)
		f := fault.As(err)
		if f == nil || f.Kind != fault.Invalid || f.Reason != "BAD_OPTIONS" || len(f.Fields) != len(c.paths) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for i, path := range c.paths {
			if f.Fields[i].Path != path {
				t.Errorf("%s: wrong at %s, want %s", name, f.Fields[i].Path, path)
			}
		}
	}
	// A priority of tomorrow's contract is for the use cases to refuse, not normal.
	if w, err := wishesFromProto(&imagev1.JobOptions{Priority: 9}); err != nil || w.Class == "" || w.Class == job.Normal {
		t.Errorf("priority 9 is %+v, %v", w, err)
	}
}

func TestFilters(t *testing.T) {
	in := &imagev1.ListJobsRequest{ImageId: "i", BatchId: "b", Tenant: "t", Reason: "r", State: imagev1.Job_DEAD}
	want := job.Filter{Image: "i", Batch: "b", Tenant: "t", Reason: "r", States: []job.State{job.Dead}}
	if got, err := filterFromProto(in); err != nil || cmp.Diff(want, got) != "" {
		t.Errorf("%+v, %v", got, err)
	}
	redrive := &imagev1.RedriveJobsRequest{ImageId: "i", BatchId: "b", Tenant: "t", Reason: "r", State: imagev1.Job_DEAD}
	if got, err := filterFromProto(redrive); err != nil || cmp.Diff(want, got) != "" {
		t.Errorf("%+v, %v", got, err)
	}
	for _, state := range job.States() {
		if got, err := filterFromProto(&imagev1.ListJobsRequest{State: states[state]}); err != nil || len(got.States) != 1 || got.States[0] != state {
			t.Errorf("%s is %+v, %v", state, got, err)
		}
	}
	_, err := filterFromProto(&imagev1.ListJobsRequest{State: 99})
	if f := fault.As(err); f == nil || f.Reason != "BAD_STATE" || f.Fields[0].Path != "state" {
		t.Errorf("state 99: %v", err)
	}
}

func TestBatchesOnTheWire(t *testing.T) {
	at := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	b := job.Batch{ID: "bat_1", Total: 10, Percent: 42, Created: at, Updated: at.Add(time.Minute),
		Counts: map[job.State]int{job.Running: 2, job.Succeeded: 5, job.Dead: 1, job.Queued: 0}}
	got := new(imagev1.Batch)
	fillBatch(got, b)
	want := &imagev1.Batch{Id: "bat_1", Total: 10, Percent: 42, CreateTime: timestamppb.New(at), UpdateTime: timestamppb.New(at.Add(time.Minute)),
		Counts: []*imagev1.Batch_StateCount{{State: imagev1.Job_RUNNING, Count: 2}, {State: imagev1.Job_SUCCEEDED, Count: 5}, {State: imagev1.Job_DEAD, Count: 1}}}
	if d := cmp.Diff(want, got, protocmp.Transform()); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	b.Counts = map[job.State]int{job.Succeeded: 9, job.Cancelled: 1}
	done := new(imagev1.Batch)
	if fillBatch(done, b); !done.GetDone() {
		t.Errorf("it is not done: %v", done)
	}
}
