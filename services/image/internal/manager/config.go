package manager

import (
	"time"

	"calotype/kit/fault"
)

// Config says how long things are kept and how often is looked after them.
type Config struct {
	KeepKeys       time.Duration `koanf:"keep_keys" doc:"how long an idempotency key is remembered"`
	Backlog        int           `koanf:"backlog" live:"true" doc:"how many jobs may wait for the queue before no more are accepted"`
	ReportSlots    int           `koanf:"report_slots" doc:"how many reports of nodes are applied at once"`
	ReconcileEvery time.Duration `koanf:"reconcile_every" doc:"how often to look for jobs that nothing moves any more"`
	ReconcileAfter time.Duration `koanf:"reconcile_after" doc:"how long nothing happens to a job before it is queued again; longer than any attempt takes"`
	ReconcileLimit int           `koanf:"reconcile_limit" doc:"how often a job is queued again that way before it is dead"`
	ScheduleEvery  time.Duration `koanf:"schedule_every" doc:"how often to look for scheduled jobs whose time has come"`
	ExpireEvery    time.Duration `koanf:"expire_every" doc:"how often to look for images and jobs whose time to live is over"`
	CollectEvery   time.Duration `koanf:"collect_every" doc:"how often to look for bytes that nothing refers to"`
	CollectGrace   time.Duration `koanf:"collect_grace" doc:"how long such bytes were unused before they are deleted; far longer than the way from an upload to its registration, and than the clocks differ"`
	WatchPoll      time.Duration `koanf:"watch_poll" doc:"how soon a watcher hears of what another manager did"`
}

// leastGrace is well above what storage may forget of a use in a crash, and above the time that a request takes.
const leastGrace = 10 * time.Minute

// DefaultConfig suits jobs that take seconds.
func DefaultConfig() Config {
	return Config{
		KeepKeys:       24 * time.Hour,
		Backlog:        100_000,
		ReportSlots:    64,
		ReconcileEvery: 30 * time.Second,
		ReconcileAfter: 5 * time.Minute,
		ReconcileLimit: 5,
		ScheduleEvery:  time.Second,
		ExpireEvery:    time.Minute,
		CollectEvery:   time.Hour,
		CollectGrace:   24 * time.Hour,
		WatchPoll:      time.Second,
	}
}

// Validate finds every fault at once.
func (c Config) Validate() (faults []fault.Field) {
	for path, d := range map[string]time.Duration{
		"keep_keys": c.KeepKeys, "reconcile_every": c.ReconcileEvery, "reconcile_after": c.ReconcileAfter, "watch_poll": c.WatchPoll,
		"schedule_every": c.ScheduleEvery, "expire_every": c.ExpireEvery, "collect_every": c.CollectEvery,
	} {
		if d <= 0 {
			faults = append(faults, fault.Field{Path: path, Message: "is not longer than 0"})
		}
	}
	if c.CollectGrace < leastGrace {
		faults = append(faults, fault.Field{Path: "collect_grace", Message: "is shorter than " + leastGrace.String()})
	}
	if c.ReportSlots < 1 || c.ReportSlots > 1000 {
		faults = append(faults, fault.Field{Path: "report_slots", Message: "is not within 1..1000"})
	}
	if c.Backlog < 1 {
		faults = append(faults, fault.Field{Path: "backlog", Message: "is less than 1"})
	}
	if c.ReconcileLimit < 0 {
		faults = append(faults, fault.Field{Path: "reconcile_limit", Message: "is less than 0"})
	}
	return faults
}
