package s3_test

import (
	"context"
	"testing"
	"time"

	"calotype/services/storage/internal/blobtest"
	"calotype/test/servers"
)

func TestStore(t *testing.T) {
	server := servers.NewS3(t)
	blobtest.Run(t, func(t *testing.T) blobtest.Subject { return subject(t, configOf(server)) })
}

// contextOf is for what is done after the test's own has ended.
func contextOf(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}
