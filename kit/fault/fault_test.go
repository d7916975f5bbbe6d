package fault_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"calotype/kit/fault"
)

func TestKindOf(t *testing.T) {
	for _, c := range []struct {
		err  error
		want fault.Kind
	}{
		{errors.New("plain"), fault.Internal},
		{context.DeadlineExceeded, fault.Deadline},
		{fmt.Errorf("reading: %w", context.Canceled), fault.Canceled},
		{fmt.Errorf("loading: %w", fault.New(fault.NotFound, "", "no image %q", "x")), fault.NotFound},
		{fault.Wrap(io.ErrUnexpectedEOF, fault.Invalid, "BROKEN_IMAGE", "the file is cut off"), fault.Invalid},
	} {
		if got := fault.KindOf(c.err); got != c.want {
			t.Errorf("KindOf(%v) = %v, want %v", c.err, got, c.want)
		}
	}
}

func TestWrap(t *testing.T) {
	if fault.Wrap(nil, fault.Internal, "", "x") != nil {
		t.Error("wrapping nil gave an error")
	}
	err := fault.Wrap(io.EOF, fault.Unavailable, "STORAGE_AWAY", "storage does not answer")
	if !errors.Is(err, io.EOF) || fault.ReasonOf(err) != "STORAGE_AWAY" || !fault.Transient(err) {
		t.Errorf("wrapped error lost something: %v", err)
	}
}

func TestFieldsAreToldInTheText(t *testing.T) {
	e := fault.New(fault.Invalid, "BAD_RECIPE", "the recipe is wrong")
	e.Fields = []fault.Field{{"variants[0].name", "is empty"}, {"variants[1].output.quality", "101 is not within 1..100"}}
	want := "the recipe is wrong: variants[0].name: is empty; variants[1].output.quality: 101 is not within 1..100"
	if e.Error() != want {
		t.Errorf("got %q\nwant %q", e, want)
	}
}
