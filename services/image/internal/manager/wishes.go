package manager

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

const (
	maxAttempts = 100
	leastKept   = time.Second
	longestWait = 366 * 24 * time.Hour
)

var tenantName = regexp.MustCompile(`^[A-Za-z0-9._-]{0,64}$`)

// wishes checks what callers ask for beside the pictures.
type wishes struct {
	// url tells what is wrong with the URL of a webhook: "" is nothing. Nil refuses all.
	url func(string) string
	now func() time.Time
}

func (c wishes) check(w job.Wishes) error {
	var fields []fault.Field
	wrongIf := func(bad bool, path, message string) {
		if bad {
			fields = append(fields, fault.Field{Path: "options." + path, Message: message})
		}
	}
	wrongIf(!tenantName.MatchString(w.Tenant), "tenant", `is not at most 64 of a-z, A-Z, 0-9, ".", "_" and "-"`)
	wrongIf(!slices.Contains(job.Classes(), w.Class.OrNormal()), "priority", "is not INTERACTIVE, NORMAL or BULK")
	wrongIf(w.MaxAttempts < 0 || w.MaxAttempts > maxAttempts, "max_attempts", fmt.Sprintf("is not within 0..%d", maxAttempts))
	wrongIf(w.NotBefore.After(c.now().Add(longestWait)), "not_before", "is more than a year ahead")
	wrongIf(w.Keep != 0 && w.Keep < leastKept, "ttl", "is shorter than 1 s")
	if w.Webhook != "" {
		said := "webhooks are off: no signing secret is configured"
		if c.url != nil {
			said = c.url(w.Webhook)
		}
		wrongIf(said != "", "webhook_url", said)
	}
	if len(fields) == 0 {
		return nil
	}
	return wrong("BAD_OPTIONS", fields...)
}
