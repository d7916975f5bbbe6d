package manager_test

import (
	"testing"
	"time"

	"calotype/services/image/internal/manager"
)

func TestConfig(t *testing.T) {
	if faults := manager.DefaultConfig().Validate(); len(faults) > 0 {
		t.Errorf("the default is refused: %v", faults)
	}
	for path, change := range map[string]func(*manager.Config){
		"schedule_every": func(c *manager.Config) { c.ScheduleEvery = 0 },
		"expire_every":   func(c *manager.Config) { c.ExpireEvery = -time.Second },
		"collect_every":  func(c *manager.Config) { c.CollectEvery = 0 },
		"collect_grace":  func(c *manager.Config) { c.CollectGrace = 10*time.Minute - 1 },
		"backlog":        func(c *manager.Config) { c.Backlog = 0 },
	} {
		cfg := manager.DefaultConfig()
		change(&cfg)
		if faults := cfg.Validate(); len(faults) != 1 || faults[0].Path != path {
			t.Errorf("%s: faults %v", path, faults)
		}
	}
}
