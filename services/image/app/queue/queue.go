// Package queue opens the queue that a configuration names: the one place where the manager's and the worker's apps agree on what moves
// between them.
package queue

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/litequeue"
	"calotype/services/image/internal/rabbitmq"
)

// The kinds of queue.
const (
	Lite     = "lite"     // embedded: a SQLite file that the processes of one machine share
	RabbitMQ = "rabbitmq" // brokers that many machines share
)

// Config chooses a queue.
type Config struct {
	Kind             string `koanf:"kind" doc:"lite: a file that the processes of one machine share; rabbitmq: brokers that many machines share"`
	litequeue.Config `koanf:",squash"`
	RabbitMQ         rabbitmq.Config `koanf:"rabbitmq"`
}

// DefaultConfig is a file below the working directory.
func DefaultConfig() Config {
	cfg := Config{Kind: Lite, Config: litequeue.DefaultConfig(), RabbitMQ: rabbitmq.DefaultConfig()}
	cfg.Path = filepath.Join("data", "queue.db")
	return cfg
}

// Validate finds every fault at once in what the kind needs.
func (c Config) Validate() (faults []fault.Field) {
	switch c.Kind {
	case Lite:
		faults = c.Config.Validate()
		if c.Path == "" {
			faults = append(faults, fault.Field{Path: "path", Message: "is empty"})
		}
	case RabbitMQ:
		for _, f := range c.broker().Validate() {
			if f.Path != maxDeliveries {
				f.Path = "rabbitmq." + f.Path
			}
			faults = append(faults, f)
		}
	default:
		faults = append(faults, fault.Field{Path: "kind", Message: fmt.Sprintf("%q is neither %q nor %q", c.Kind, Lite, RabbitMQ)})
	}
	return faults
}

// maxDeliveries is a setting that both kinds share.
const maxDeliveries = "max_deliveries"

func (c Config) broker() rabbitmq.Config {
	b := c.RabbitMQ
	b.MaxDeliveries = c.MaxDeliveries
	return b
}

// Queue is an open queue.
type Queue interface {
	job.Queue
	Close() error
}

// Open opens the queue: it makes the folder of a file where it is missing, and declares the queues at a broker that answers. A queue
// that counts what it does is a prometheus.Collector, too.
func Open(cfg Config, log *slog.Logger) (Queue, error) {
	if cfg.Kind == RabbitMQ {
		ctx, cancel := context.WithTimeout(context.Background(), cfg.RabbitMQ.PublishTimeout)
		defer cancel()
		return rabbitmq.Open(ctx, cfg.broker(), log, job.Tasks, job.Reports)
	}
	if err := os.MkdirAll(filepath.Dir(cfg.Path), 0o750); err != nil {
		return nil, fmt.Errorf("making the folder of the queue: %w", err)
	}
	return litequeue.Open(cfg.Config, log)
}
