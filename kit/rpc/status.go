package rpc

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	microerrors "go-micro.dev/v4/errors"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"calotype/kit/fault"
)

// Domain is what google.rpc.ErrorInfo names as the domain of a fault's reason.
const Domain = "calotype"

var kindCodes = map[fault.Kind]codes.Code{
	fault.Internal:        codes.Internal,
	fault.Invalid:         codes.InvalidArgument,
	fault.NotFound:        codes.NotFound,
	fault.Conflict:        codes.FailedPrecondition,
	fault.Exhausted:       codes.ResourceExhausted,
	fault.Unauthenticated: codes.Unauthenticated,
	fault.Denied:          codes.PermissionDenied,
	fault.Unavailable:     codes.Unavailable,
	fault.Deadline:        codes.DeadlineExceeded,
	fault.Canceled:        codes.Canceled,
}

// codeKinds is wider than kindCodes: other people's servers use every code.
var codeKinds = map[codes.Code]fault.Kind{
	codes.InvalidArgument:    fault.Invalid,
	codes.OutOfRange:         fault.Invalid,
	codes.NotFound:           fault.NotFound,
	codes.AlreadyExists:      fault.Conflict,
	codes.FailedPrecondition: fault.Conflict,
	codes.Aborted:            fault.Conflict,
	codes.ResourceExhausted:  fault.Exhausted,
	codes.Unauthenticated:    fault.Unauthenticated,
	codes.PermissionDenied:   fault.Denied,
	codes.Unavailable:        fault.Unavailable,
	codes.DeadlineExceeded:   fault.Deadline,
	codes.Canceled:           fault.Canceled,
}

// httpKinds reads the codes of go-micro's errors.Error, which are those of HTTP.
var httpKinds = map[int32]fault.Kind{
	http.StatusBadRequest:          fault.Invalid,
	http.StatusUnprocessableEntity: fault.Invalid,
	http.StatusUnauthorized:        fault.Unauthenticated,
	http.StatusForbidden:           fault.Denied,
	http.StatusNotFound:            fault.NotFound,
	http.StatusConflict:            fault.Conflict,
	http.StatusPreconditionFailed:  fault.Conflict,
	http.StatusTooManyRequests:     fault.Exhausted,
	http.StatusRequestTimeout:      fault.Deadline,
	http.StatusGatewayTimeout:      fault.Deadline,
	499:                            fault.Canceled,
	http.StatusBadGateway:          fault.Unavailable,
	http.StatusServiceUnavailable:  fault.Unavailable,
}

// Status gives what err is on the wire. Statuses pass unharmed, those of a call to another service included; a fault becomes
// its code with ErrorInfo, BadRequest and RetryInfo; go-micro's errors.Error becomes the code nearest to its number. Anything
// else is INTERNAL without its text, which was not written for callers.
func Status(err error) *status.Status {
	if err == nil {
		return nil
	}
	f := fault.As(err)
	var passed *callError
	if errors.As(err, &passed) && passed.fault == f {
		return passed.status
	}
	if f != nil {
		return statusOf(f)
	}
	if st, ok := status.FromError(err); ok {
		return st
	}
	var m *microerrors.Error
	if errors.As(err, &m) {
		if m.Code == http.StatusNotImplemented {
			return status.New(codes.Unimplemented, m.Detail)
		}
		return status.New(kindCodes[httpKinds[m.Code]], m.Detail)
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return status.New(codes.DeadlineExceeded, "the deadline passed")
	case errors.Is(err, context.Canceled):
		return status.New(codes.Canceled, "the caller left")
	}
	return status.New(codes.Internal, "internal error")
}

func statusOf(f *fault.Error) *status.Status {
	message := f.Message
	if message == "" {
		message = f.Kind.String()
	}
	st := status.New(kindCodes[f.Kind], message)
	var details []protoadapt.MessageV1
	if f.Reason != "" {
		details = append(details, &errdetails.ErrorInfo{Reason: f.Reason, Domain: Domain})
	}
	if len(f.Fields) > 0 {
		bad := &errdetails.BadRequest{}
		for _, field := range f.Fields {
			bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{Field: field.Path, Description: field.Message})
		}
		details = append(details, bad)
	}
	if f.RetryAfter > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(f.RetryAfter)})
	}
	if len(details) == 0 {
		return st
	}
	if with, err := st.WithDetails(details...); err == nil {
		return with
	}
	return st
}

// callError is what a failed call returns: the status as it came, for grpc's status.FromError, around the fault it means.
type callError struct {
	method string
	node   string
	status *status.Status
	fault  *fault.Error
}

func (e *callError) Error() string {
	text := "calling " + e.method
	if e.node != "" {
		text += " on " + e.node
	}
	return text + ": " + e.status.Code().String() + ": " + e.status.Message()
}

// GRPCStatus is what grpc's status.FromError asks for.
func (e *callError) GRPCStatus() *status.Status { return e.status }

func (e *callError) Unwrap() error { return e.fault }

// Fault gives the fault that a status means. Reason, fields and the time to wait come from its details.
func Fault(st *status.Status) *fault.Error {
	f := &fault.Error{Kind: codeKinds[st.Code()], Message: st.Message()}
	for _, d := range st.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			f.Reason = d.GetReason()
		case *errdetails.BadRequest:
			for _, v := range d.GetFieldViolations() {
				f.Fields = append(f.Fields, fault.Field{Path: v.GetField(), Message: v.GetDescription()})
			}
		case *errdetails.RetryInfo:
			f.RetryAfter = d.GetRetryDelay().AsDuration()
		}
	}
	return f
}

// failed wraps whatever an attempt came to.
func (c *Client) failed(err error, method, node string) error {
	if err == nil {
		return nil
	}
	var done *callError
	if errors.As(err, &done) {
		return err
	}
	st, ok := status.FromError(err)
	if !ok {
		st = status.FromContextError(err)
	}
	if tooLarge(st) {
		st = withReason(st, "MESSAGE_TOO_LARGE")
	}
	if strings.Contains(st.Message(), c.mark) {
		p := st.Proto()
		p.Message = strings.ReplaceAll(p.GetMessage(), c.mark, "")
		st = status.FromProto(p)
	}
	return &callError{method: method, node: node, status: st, fault: Fault(st)}
}

// tooLarge finds what grpc-go says of a message beyond a limit, on either side of the wire. It says so before any code of ours
// runs, and in its text alone; a test holds the text of the version in use.
func tooLarge(st *status.Status) bool {
	return st.Code() == codes.ResourceExhausted && len(st.Proto().GetDetails()) == 0 && strings.Contains(st.Message(), "message larger than max") ||
		st.Code() == codes.ResourceExhausted && strings.Contains(st.Message(), "decompression larger than max")
}

func withReason(st *status.Status, reason string) *status.Status {
	if with, err := st.WithDetails(&errdetails.ErrorInfo{Reason: reason, Domain: Domain}); err == nil {
		return with
	}
	return st
}

// retryAfter is the time that the status of a failed call asks for.
func retryAfter(err error) time.Duration {
	if f := fault.As(err); f != nil {
		return f.RetryAfter
	}
	return 0
}
