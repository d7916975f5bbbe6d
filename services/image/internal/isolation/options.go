package isolation

import (
	"log/slog"
	"os"
	"time"

	"calotype/services/image/internal/worker"
)

// Options is what a Pool works with.
type Options struct {
	Config
	Renders int // helpers that render: as many as calls of Render at once
	Looks   int // helpers that inspect, which is not to wait behind those
	// Settings are the engine's, which its Opener knows, and Output the most bytes that the results of a call have together. Both are asked
	// for before each call.
	Settings func() (settings []byte, output int64)
	Observe  func(op, format string, took time.Duration)
	Metrics  *Metrics
	Log      *slog.Logger
}

// Opener makes a helper's engine of the node's settings for it. It also does everything that an engine does once, at its first
// picture: no library can be set up once the sandbox is shut. What operations take is observed.
type Opener func(settings []byte, observe func(op, format string, took time.Duration)) (worker.Engine, error)

// mark is the variable that makes a process a helper.
const mark = "CALOTYPE_HELPER"

// Asked reports whether this process was started as a helper. One that was calls Serve and nothing else.
func Asked() bool { return os.Getenv(mark) != "" }
