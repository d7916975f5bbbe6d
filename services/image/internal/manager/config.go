package manager

import (
	"time"

	"calotype/kit/fault"
)

// Config says how long things are kept and how often is looked after them.
type Config struct {
	KeepKeys       time.Duration `koanf:"keep_keys" doc:"how long an idempotency key is remembered"`
	ReportSlots    int           `koanf:"report_slots" doc:"how many reports of nodes are applied at once"`
	ReconcileEvery time.Duration `koanf:"reconcile_every" doc:"how often to look for jobs that nothing moves any more"`
	ReconcileAfter time.Duration `koanf:"reconcile_after" doc:"how long nothing happens to a job before it is queued again; longer than any attempt takes"`
	ReconcileLimit int           `koanf:"reconcile_limit" doc:"how often a job is queued again that way before it is dead"`
	WatchPoll      time.Duration `koanf:"watch_poll" doc:"how soon a watcher hears of what another manager did"`
}

// DefaultConfig suits jobs that take seconds.
func DefaultConfig() Config {
	return Config{
		KeepKeys:       24 * time.Hour,
		ReportSlots:    16,
		ReconcileEvery: 30 * time.Second,
		ReconcileAfter: 5 * time.Minute,
		ReconcileLimit: 5,
		WatchPoll:      time.Second,
	}
}

// Validate finds every fault at once.
func (c Config) Validate() (faults []fault.Field) {
	for path, d := range map[string]time.Duration{
		"keep_keys": c.KeepKeys, "reconcile_every": c.ReconcileEvery, "reconcile_after": c.ReconcileAfter, "watch_poll": c.WatchPoll,
	} {
		if d <= 0 {
			faults = append(faults, fault.Field{Path: path, Message: "is not longer than 0"})
		}
	}
	if c.ReportSlots < 1 || c.ReportSlots > 1000 {
		faults = append(faults, fault.Field{Path: "report_slots", Message: "is not within 1..1000"})
	}
	if c.ReconcileLimit < 0 {
		faults = append(faults, fault.Field{Path: "reconcile_limit", Message: "is less than 0"})
	}
	return faults
}
