package originals

import (
	"fmt"
	"time"

	"calotype/kit/config"
	"calotype/kit/fault"
)

// Config bounds what a node keeps of originals.
type Config struct {
	Memory   config.Size   `koanf:"memory" doc:"bytes of originals that a node keeps in memory, those used last; 0 keeps none"`
	Idle     time.Duration `koanf:"idle" doc:"how long an original stays in memory after its last use: deleted ones are gone after that, and a quarter of it"`
	Folder   string        `koanf:"folder" doc:"a folder of the node's own where it keeps originals on disk too; empty keeps none there"`
	Disk     config.Size   `koanf:"disk" doc:"bytes of originals that a node keeps in that folder"`
	DiskIdle time.Duration `koanf:"disk_idle" doc:"how long an original stays in that folder after its last use: deleted ones are gone after that, and a quarter of it"`
}

// DefaultConfig keeps some photographs in memory and none on disk.
func DefaultConfig() Config {
	return Config{Memory: 64 * config.MiB, Idle: 4 * time.Minute, Disk: config.GiB, DiskIdle: time.Hour}
}

// Validate finds every fault at once.
func (c Config) Validate() []fault.Field {
	var fields []fault.Field
	check := func(bad bool, path, format string, args ...any) {
		if bad {
			fields = append(fields, fault.Field{Path: path, Message: fmt.Sprintf(format, args...)})
		}
	}
	check(c.Memory < 0, "memory", "must not be negative")
	check(c.Idle < time.Second, "idle", "%v is less than 1s", c.Idle)
	check(c.Disk < 1, "disk", "must be at least 1: leave folder empty to keep nothing on disk")
	check(c.DiskIdle < time.Second, "disk_idle", "%v is less than 1s", c.DiskIdle)
	return fields
}
