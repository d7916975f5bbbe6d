package manager

import (
	"time"

	"calotype/kit/fault"
)

// Config says how long things are kept and how often is looked after them.
type Config struct {
	// KeepKeys is how long an idempotency key is remembered.
	KeepKeys time.Duration `koanf:"keep_keys"`
	// ReportSlots is how many reports are applied at once.
	ReportSlots int `koanf:"report_slots"`
	// ReconcileEvery is how often is looked for jobs that nothing moves any more.
	ReconcileEvery time.Duration `koanf:"reconcile_every"`
	// ReconcileAfter is how long nothing happens to a job before it counts as such. It should be longer than any attempt takes; where it
	// is not, the work is done twice and the first result counts.
	ReconcileAfter time.Duration `koanf:"reconcile_after"`
	// ReconcileLimit is how often a job is queued again that way before it is dead.
	ReconcileLimit int `koanf:"reconcile_limit"`
	// WatchPoll is how soon a watcher hears of what another manager did.
	WatchPoll time.Duration `koanf:"watch_poll"`
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
