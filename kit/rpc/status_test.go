package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	microerrors "go-micro.dev/v4/errors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"calotype/kit/fault"
	"calotype/kit/rpc"
)

func TestStatus(t *testing.T) {
	aborted := status.Error(codes.Aborted, "raced")
	for _, c := range []struct {
		name    string
		err     error
		code    codes.Code
		message string
	}{
		{"fault", fault.New(fault.Conflict, "RUNNING", "the job runs"), codes.FailedPrecondition, "the job runs"},
		{"fault below", fmt.Errorf("reading: %w", fault.New(fault.Denied, "", "not yours")), codes.PermissionDenied, "not yours"},
		{"fault without words", fault.New(fault.Unavailable, "", ""), codes.Unavailable, "unavailable"},
		{"fault around a status", fault.Wrap(aborted, fault.Exhausted, "", "full"), codes.ResourceExhausted, "full"},
		{"status", aborted, codes.Aborted, "raced"},
		{"go-micro", microerrors.NotFound("x", "no %s", "blob"), codes.NotFound, "no blob"},
		{"go-micro not implemented", microerrors.New("x", "later", 501), codes.Unimplemented, "later"},
		{"go-micro unknown", microerrors.New("x", "odd", 599), codes.Internal, "odd"},
		{"deadline", fmt.Errorf("reading: %w", context.DeadlineExceeded), codes.DeadlineExceeded, "the deadline passed"},
		{"canceled", context.Canceled, codes.Canceled, "the caller left"},
		{"anything", errors.New("/etc/secret: no such file"), codes.Internal, "internal error"},
	} {
		if st := rpc.Status(c.err); st.Code() != c.code || st.Message() != c.message {
			t.Errorf("%s: got %v %q, want %v %q", c.name, st.Code(), st.Message(), c.code, c.message)
		}
	}
	if rpc.Status(nil) != nil {
		t.Error("nil gave a status")
	}
}

func TestFaultSurvivesTheWire(t *testing.T) {
	for k := fault.Internal; k <= fault.Canceled; k++ {
		want := &fault.Error{Kind: k, Reason: "WHY", Message: "because", RetryAfter: time.Second, Fields: []fault.Field{{Path: "a[0].b", Message: "is wrong"}}}
		if diff := cmp.Diff(want, rpc.Fault(rpc.Status(want))); diff != "" {
			t.Errorf("%v: %s", k, diff)
		}
	}
}
