package pause_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"calotype/kit/internal/pause"
)

func TestFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		if !pause.For(ctx, time.Second) || time.Since(began) != time.Second {
			t.Errorf("a second took %v", time.Since(began))
		}
		if pause.For(ctx, time.Hour) || time.Since(began) != time.Minute {
			t.Errorf("it ended %v after its beginning", time.Since(began))
		}
		if pause.For(ctx, 0) {
			t.Error("an ended context goes on")
		}
	})
}
