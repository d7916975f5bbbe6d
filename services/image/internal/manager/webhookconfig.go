package manager

import (
	"fmt"
	"strings"
	"time"

	"calotype/kit/fault"
)

// WebhookConfig says how notices are sent.
type WebhookConfig struct {
	Timeout     time.Duration `koanf:"timeout" doc:"how long a receiver may take to answer"`
	Concurrency int           `koanf:"concurrency" doc:"how many webhooks are sent at once"`
	PerHost     int           `koanf:"per_host" doc:"how many of them to one host, so that a slow one does not hold up others"`
	Retries     Pauses        `koanf:"retries" doc:"the pauses before a webhook that was not taken is sent again, each give or take a tenth; after the last it is given up"`
}

// DefaultWebhookConfig retries as Standard Webhooks recommends, for three days.
func DefaultWebhookConfig() WebhookConfig {
	return WebhookConfig{
		Timeout: 15 * time.Second, Concurrency: 256, PerHost: 8,
		Retries: Pauses{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour},
	}
}

// Validate finds every fault at once.
func (c WebhookConfig) Validate() (faults []fault.Field) {
	if c.Timeout < 100*time.Millisecond || c.Timeout > 5*time.Minute {
		faults = append(faults, fault.Field{Path: "timeout", Message: "is not within 100ms..5m"})
	}
	if c.Concurrency < 1 || c.Concurrency > 10_000 {
		faults = append(faults, fault.Field{Path: "concurrency", Message: "is not within 1..10000"})
	}
	if c.PerHost < 1 || c.PerHost > c.Concurrency {
		faults = append(faults, fault.Field{Path: "per_host", Message: "is not within 1..concurrency"})
	}
	for _, d := range c.Retries {
		if d < 0 {
			faults = append(faults, fault.Field{Path: "retries", Message: fmt.Sprintf("%v is less than 0", d)})
		}
	}
	return faults
}

// Pauses is a list of durations, written as "5s,5m,2h".
type Pauses []time.Duration

// UnmarshalText reads a list; the empty one never pauses again.
func (p *Pauses) UnmarshalText(b []byte) error {
	all := Pauses{}
	for text := range strings.SplitSeq(string(b), ",") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%q is not a duration such as 500ms, 10s or 1h30m", text)
		}
		all = append(all, d)
	}
	*p = all
	return nil
}

// MarshalText writes what UnmarshalText reads.
func (p Pauses) MarshalText() ([]byte, error) {
	var texts []string
	for _, d := range p {
		s := d.String()
		if strings.HasSuffix(s, "m0s") {
			s = strings.TrimSuffix(s, "0s")
		}
		if strings.HasSuffix(s, "h0m") {
			s = strings.TrimSuffix(s, "0m")
		}
		texts = append(texts, s)
	}
	return []byte(strings.Join(texts, ",")), nil
}
