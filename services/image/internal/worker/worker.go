// Package worker is what a processing node does: it answers who wants a picture at once, and works off what the queue brings,
// within a bounded number of slots. It knows neither the picture library, nor the wire, nor where bytes are kept.
package worker

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/opentracing/opentracing-go"

	"calotype/kit/config"
	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
)

// Originals gives whole originals.
type Originals interface {
	// Open reads a blob that is verified against its digest. Fails with fault.NotFound, with fault.Invalid and reason
	// IMAGE_TOO_LARGE when it has more than limit bytes, before they are read, and with fault.Unavailable when storage is away.
	Open(ctx context.Context, d job.Digest, limit int64) ([]byte, error)
}

// Results keeps finished results.
type Results interface {
	// Put stores bytes under their digest and returns once they are durable. Putting what is there already succeeds.
	Put(ctx context.Context, d job.Digest, data []byte) error
}

// Rendered is one finished variant.
type Rendered struct {
	Name        string
	Format      string
	ContentType string
	Width       int
	Height      int // of one frame
	Pages       int
	Data        []byte
}

// Engine works on pictures. Its errors are faults; one that concerns a variant has VariantName. Both methods may be called
// concurrently, and return soon after ctx ends.
type Engine interface {
	// Inspect says what a file is and decodes no pixels. Fails with fault.Invalid for what no Render takes.
	Inspect(ctx context.Context, data []byte) (job.Picture, error)
	// Render makes resolved variants, in their order, from one decode. Tell, unless it is nil, hears now and then how much of the
	// rendering is done; it waits for nothing.
	Render(ctx context.Context, in job.Input, variants []recipe.Variant, tell func(job.Progress)) ([]Rendered, error)
}

// Config says how much a node does at once, and for how long.
type Config struct {
	Slots            int           `koanf:"slots" doc:"pictures that are worked on at once, for jobs and for callers each; 0 is one a CPU"`
	Memory           config.Size   `koanf:"memory" doc:"bytes of memory that is foreseen for the pictures that are worked on at once: what does not fit waits, and what would take more than three quarters counts as these; 0 is 48MiB a slot"`
	Waiting          int           `koanf:"waiting" doc:"callers that may wait for a slot; more are sent elsewhere"`
	Patience         time.Duration `koanf:"patience" doc:"how long a caller waits for a slot before it is sent elsewhere"`
	JobTimeout       time.Duration `koanf:"job_timeout" doc:"how long the pictures of one job may take, and as long each storage with its original and its results"`
	TransformTimeout time.Duration `koanf:"transform_timeout" doc:"how long the pictures of one call may take"`
	Attempts         int           `koanf:"attempts" doc:"how often a job is tried while what it needs is away, unless the job says"`
	Backoff          time.Duration `koanf:"backoff" doc:"the pause before a job's second attempt; each further one doubles it, up to a minute"`
}

// perSlot is the memory that there is for each slot, unless it is set.
const perSlot = 48 * config.MiB

// DefaultConfig uses every CPU.
func DefaultConfig() Config {
	return Config{Waiting: 64, Patience: 5 * time.Second, JobTimeout: time.Minute, TransformTimeout: 10 * time.Second, Attempts: 12, Backoff: time.Second}
}

// Validate finds every fault at once.
func (c Config) Validate() []fault.Field {
	var fields []fault.Field
	check := func(bad bool, path, message string) {
		if bad {
			fields = append(fields, fault.Field{Path: path, Message: message})
		}
	}
	check(c.Slots < 0 || c.Slots > 1024, "slots", fmt.Sprintf("%d is not within 0..1024", c.Slots))
	check(c.Memory < 0, "memory", "must not be negative")
	check(c.Waiting < 0, "waiting", "must not be negative")
	check(c.Attempts < 1, "attempts", "must be at least 1")
	for path, d := range map[string]time.Duration{
		"patience": c.Patience, "job_timeout": c.JobTimeout, "transform_timeout": c.TransformTimeout, "backoff": c.Backoff,
	} {
		check(d <= 0, path, fmt.Sprintf("%v is no time", d))
	}
	return fields
}

// Parts is what a Worker works with.
type Parts struct {
	Originals Originals
	Results   Results
	Engine    Engine
	// Weigh foresees the bytes of memory that resolved variants take at their peak, beside the original's own. It looks at what the file says
	// of itself and takes no time. nil: nothing is foreseen.
	Weigh     func(in job.Input, variants []recipe.Variant) int64
	Copies    Copies               // nil: everything is made of originals themselves
	Abilities func() job.Abilities // what the engine can do
	Queue     job.Queue
	Desk      Desk         // nil: every job is wanted to its end
	Limit     func() int64 // bytes of an original
	Node      string       // the node's name, for reports
	Tracer    opentracing.Tracer
	Metrics   *Metrics
	Log       *slog.Logger
}

// Worker is a node's two sides, which share its slots.
type Worker struct {
	Transformer *Transformer
	Consumer    *Consumer
}

// New makes a Worker.
func New(cfg Config, p Parts) *Worker {
	if cfg.Slots == 0 {
		cfg.Slots = runtime.GOMAXPROCS(0)
	}
	if cfg.Memory == 0 {
		cfg.Memory = config.Size(cfg.Slots) * perSlot
	}
	s := newSlots(cfg.Slots, cfg.Waiting, cfg.Patience, p.Metrics)
	s.room.size = int64(cfg.Memory)
	return &Worker{
		Transformer: &Transformer{slots: s, looks: newSlots(2*cfg.Slots, cfg.Waiting, cfg.Patience, nil), parts: p, timeout: cfg.TransformTimeout},
		Consumer: &Consumer{slots: s, parts: p, cfg: cfg, now: time.Now, courier: &courier{queue: p.Queue},
			paces: paces{began: 150 * time.Millisecond, first: 20 * time.Millisecond, ask: 2 * time.Second, watch: 100 * time.Millisecond, tell: time.Second}},
	}
}
