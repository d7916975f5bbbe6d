package results

import (
	"fmt"
	"time"

	"calotype/kit/config"
	"calotype/kit/fault"
)

// Config bounds what a gateway keeps.
type Config struct {
	Memory config.Size   `koanf:"memory" doc:"bytes of pictures on the fly that a gateway keeps, those used last, of at most 1MiB each; 0 keeps none"`
	Idle   time.Duration `koanf:"idle" doc:"how long such a picture is kept after its last use"`
	Plans  time.Duration `koanf:"plans" doc:"how long a gateway answers by what it knows of an address under /i/, before it asks a manager again: what other gateways deleted is served as long, upon other pictures too, and presets may be older; 0 asks each time"`
}

// DefaultConfig keeps what a few pages show.
func DefaultConfig() Config {
	return Config{Memory: 32 * config.MiB, Idle: 4 * time.Minute, Plans: 5 * time.Second}
}

// Validate finds every fault at once.
func (c Config) Validate() []fault.Field {
	var fields []fault.Field
	if c.Memory < 0 {
		fields = append(fields, fault.Field{Path: "memory", Message: "must not be negative"})
	}
	if c.Idle < time.Second {
		fields = append(fields, fault.Field{Path: "idle", Message: fmt.Sprintf("%v is less than 1s", c.Idle)})
	}
	if c.Plans < 0 || c.Plans > time.Hour {
		fields = append(fields, fault.Field{Path: "plans", Message: fmt.Sprintf("%v is not within 0..1h", c.Plans)})
	}
	return fields
}
