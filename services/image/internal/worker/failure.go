package worker

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

// failureOf tells people what went wrong; causes stay in the log.
func failureOf(err error) *job.Failure {
	failure := &job.Failure{Reason: strings.ToUpper(fault.KindOf(err).String()), Message: "something went wrong on the node"}
	switch fault.KindOf(err) {
	case fault.Deadline:
		failure.Message = "it took longer than it may"
	case fault.NotFound:
		failure.Message = "the original is no longer there"
	}
	if f := fault.As(err); f != nil {
		told := fault.Error{Message: f.Message, Fields: f.Fields} // without the cause
		failure.Message = told.Error()
		if f.Reason != "" {
			failure.Reason = f.Reason
		}
	}
	var variant interface{ VariantName() string }
	if errors.As(err, &variant) {
		failure.Variant = variant.VariantName()
	}
	return failure
}

func level(err error) slog.Level {
	if fault.Is(err, fault.Internal) {
		return slog.LevelError
	}
	return slog.LevelWarn
}

func outcomeOf(ctx context.Context, err error) string {
	switch {
	case err == nil:
		return "succeeded"
	case ctx.Err() != nil:
		return "cut_off"
	case fault.Transient(err):
		return "postponed"
	}
	return "gave_up"
}
