//go:build !linux

package isolation

import (
	"context"
	"errors"

	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
	"calotype/services/image/internal/worker"
)

var errSystem = errors.New("worker.isolation: process needs Linux; on this system set it to none")

// Pool is an engine in helper processes, which this system does not have.
type Pool struct{}

// Open fails.
func Open(Options) (*Pool, error) { return nil, errSystem }

// Serve fails.
func Serve(Opener) int { return 1 }

// Find says that nothing keeps a helper in.
func Find() Sandbox { return Sandbox{Missing: errSystem.Error()} }

// Sandbox is empty.
func (*Pool) Sandbox() Sandbox { return Sandbox{} }

// Check fails.
func (*Pool) Check(context.Context) error { return errSystem }

// Close does nothing.
func (*Pool) Close() error { return nil }

// Inspect fails.
func (*Pool) Inspect(context.Context, []byte) (job.Picture, error) { return job.Picture{}, errSystem }

// Render fails.
func (*Pool) Render(context.Context, job.Input, []recipe.Variant, func(job.Progress)) ([]worker.Rendered, error) {
	return nil, errSystem
}
