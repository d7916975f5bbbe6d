package isolation

import (
	"fmt"

	"calotype/kit/config"
	"calotype/kit/fault"
)

// The modes: where pictures are decoded.
const (
	None    = "none"    // in the node's own process
	Process = "process" // in helper processes
)

// What is done where the system lacks a part of the sandbox.
const (
	Required = "required" // the node does not start
	Optional = "optional" // it starts, and says in its log what is missing
)

// The reasons with which a call fails beside those of the engine.
const (
	Crashed  = "DECODER_CRASHED"
	NoHelper = "NO_HELPER"
	TooSlow  = "TRANSFORM_TIMEOUT"
)

// Config says where pictures are decoded, and what a helper may have.
type Config struct {
	Mode     string      `koanf:"isolation" doc:"where pictures are decoded: none (in the worker's process) or process (in helper processes, a crash of which costs one call)"`
	Memory   config.Size `koanf:"helper_memory" doc:"the memory that a helper process may write to; a picture that needs more fails"`
	Pictures int         `koanf:"helper_pictures" doc:"pictures after which a helper process is replaced"`
	Sandbox  string      `koanf:"helper_sandbox" doc:"where the system cannot filter a helper's system calls: required (the worker does not start) or optional (it starts and says so)"`
}

// DefaultConfig isolates nothing.
func DefaultConfig() Config {
	return Config{Mode: None, Memory: config.GiB, Pictures: 1000, Sandbox: Required}
}

const leastMemory = 256 * config.MiB // the runtime, the library and the stacks of its threads

// Validate finds every fault at once.
func (c Config) Validate() []fault.Field {
	var bad []fault.Field
	word := func(path, value, one, other string) {
		if value != one && value != other {
			bad = append(bad, fault.Field{Path: path, Message: fmt.Sprintf("%q is neither %s nor %s", value, one, other)})
		}
	}
	word("isolation", c.Mode, None, Process)
	word("helper_sandbox", c.Sandbox, Required, Optional)
	if c.Memory < leastMemory {
		bad = append(bad, fault.Field{Path: "helper_memory", Message: fmt.Sprintf("must be at least %dMiB", leastMemory/config.MiB)})
	}
	if c.Pictures < 1 {
		bad = append(bad, fault.Field{Path: "helper_pictures", Message: "must be at least 1"})
	}
	return bad
}
