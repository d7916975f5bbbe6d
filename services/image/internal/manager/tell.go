package manager

import (
	"context"
	"log/slog"

	"calotype/kit/logging"
	"calotype/services/image/internal/job"
)

// tellAccepted writes one line for each request that was accepted.
func tellAccepted(ctx context.Context, log *slog.Logger, c job.Commit) {
	if log == nil || len(c.Jobs) == 0 {
		return
	}
	j := c.Jobs[0].Job
	attrs := []slog.Attr{slog.String(logging.ImageID, string(j.ImageID)), slog.String("state", string(j.State)), slog.String("class", string(j.Class))}
	if j.Tenant != "" {
		attrs = append(attrs, slog.String("tenant", j.Tenant))
	}
	if c.Batch != nil {
		log.LogAttrs(ctx, slog.LevelInfo, "batch accepted", append(attrs[1:], slog.String("batch", string(c.Batch.ID)), slog.Int("jobs", len(c.Jobs)))...)
		return
	}
	log.LogAttrs(logging.WithJob(ctx, string(j.ID)), slog.LevelInfo, "job accepted", attrs...)
}

// tellEnd writes the one line that tells of a job's end.
func tellEnd(ctx context.Context, log *slog.Logger, j job.Job) {
	if log == nil || !j.State.Ended() {
		return
	}
	level := slog.LevelInfo
	if j.State == job.Dead {
		level = slog.LevelError
	}
	ctx = logging.WithJob(ctx, string(j.ID))
	attrs := []slog.Attr{slog.String("state", string(j.State)), slog.Int("attempts", j.Attempts), slog.Duration("took", j.Ended.Sub(j.Created))}
	for key, v := range map[string]string{"node": j.Node, "tenant": j.Tenant, "batch": string(j.BatchID)} {
		if v != "" {
			attrs = append(attrs, slog.String(key, v))
		}
	}
	if j.Failure != nil {
		attrs = append(attrs, slog.String("reason", j.Failure.Reason), slog.String("failure", j.Failure.Message))
	}
	log.LogAttrs(ctx, level, "job ended", attrs...)
}
