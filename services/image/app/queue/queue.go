// Package queue opens the queue that a configuration names: the one place where the manager's and the worker's apps agree on what moves
// between them.
package queue

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/litequeue"
)

// Lite is the embedded queue in a SQLite file that the processes of one machine share.
const Lite = "lite"

// Config chooses a queue.
type Config struct {
	Kind             string `koanf:"kind" doc:"lite: a file that the processes of one machine share"`
	litequeue.Config `koanf:",squash"`
}

// DefaultConfig is a file below the working directory.
func DefaultConfig() Config {
	cfg := Config{Kind: Lite, Config: litequeue.DefaultConfig()}
	cfg.Path = filepath.Join("data", "queue.db")
	return cfg
}

// Validate finds every fault at once.
func (c Config) Validate() []fault.Field {
	faults := c.Config.Validate()
	if c.Kind != Lite {
		faults = append(faults, fault.Field{Path: "kind", Message: fmt.Sprintf("%q is not %q", c.Kind, Lite)})
	}
	if c.Path == "" {
		faults = append(faults, fault.Field{Path: "path", Message: "is empty"})
	}
	return faults
}

// Queue is an open queue.
type Queue interface {
	job.Queue
	Close() error
}

// Open opens the queue, making the folder of its file where it is missing.
func Open(cfg Config, log *slog.Logger) (Queue, error) {
	if err := os.MkdirAll(filepath.Dir(cfg.Path), 0o750); err != nil {
		return nil, fmt.Errorf("making the folder of the queue: %w", err)
	}
	return litequeue.Open(cfg.Config, log)
}
