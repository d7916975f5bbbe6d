package postgres

import (
	"time"

	"calotype/services/image/internal/job"
)

// The columns of what is kept. Names stand here once for all statements that write.

func imageValues(all []job.Image) []column {
	return []column{
		col("id", "text", all, func(im job.Image) string { return text(im.ID) }),
		col("digest", "text", all, func(im job.Image) string { return text(im.Digest) }),
		col("filename", "text", all, func(im job.Image) string { return text(im.Filename) }),
		col("created", "timestamptz", all, func(im job.Image) time.Time { return im.Created }),
		col("format", "text", all, func(im job.Image) string { return text(im.Format) }),
		col("content_type", "text", all, func(im job.Image) string { return text(im.ContentType) }),
		col("width", "bigint", all, func(im job.Image) int64 { return int64(im.Width) }),
		col("height", "bigint", all, func(im job.Image) int64 { return int64(im.Height) }),
		col("pages", "bigint", all, func(im job.Image) int64 { return int64(im.Pages) }),
		col("has_alpha", "boolean", all, func(im job.Image) bool { return im.HasAlpha }),
		col("orientation", "bigint", all, func(im job.Image) int64 { return int64(im.Orientation) }),
		col("size", "bigint", all, func(im job.Image) int64 { return im.Size }),
		col("expires", "timestamptz", all, func(im job.Image) *time.Time { return maybe(im.Expires) }),
	}
}

func batchValues(all []job.Batch) []column {
	return []column{
		col("id", "text", all, func(b job.Batch) string { return text(b.ID) }),
		col("tenant", "text", all, func(b job.Batch) string { return text(b.Tenant) }),
		col("total", "bigint", all, func(b job.Batch) int64 { return int64(b.Total) }),
		col("created", "timestamptz", all, func(b job.Batch) time.Time { return b.Created }),
	}
}

// changedValues are those that change after a job was accepted, and the sequence that it must have until then.
func changedValues(all []changed) []column {
	reason := func(f *job.Failure) string { return f.Reason }
	message := func(f *job.Failure) string { return f.Message }
	variant := func(f *job.Failure) string { return f.Variant }
	return []column{
		col("id", "text", all, func(j changed) string { return text(j.ID) }),
		col("state", "text", all, func(j changed) string { return text(j.State) }),
		col("run", "bigint", all, func(j changed) int64 { return int64(j.Run) }),
		col("attempts", "bigint", all, func(j changed) int64 { return int64(j.Attempts) }),
		col("requeues", "bigint", all, func(j changed) int64 { return int64(j.Requeues) }),
		col("sequence", "bigint", all, func(j changed) int64 { return j.Sequence }),
		col("failure_reason", "text", all, func(j changed) *string { return part(j.Failure, reason) }),
		col("failure_message", "text", all, func(j changed) *string { return part(j.Failure, message) }),
		col("failure_variant", "text", all, func(j changed) *string { return part(j.Failure, variant) }),
		col("node", "text", all, func(j changed) string { return text(j.Node) }),
		col("started", "timestamptz", all, func(j changed) *time.Time { return maybe(j.Started) }),
		col("ended", "timestamptz", all, func(j changed) *time.Time { return maybe(j.Ended) }),
		col("updated", "timestamptz", all, func(j changed) time.Time { return j.Updated }),
		col("phase", "text", all, func(j changed) string { return text(j.Progress.Phase) }),
		col("percent", "bigint", all, func(j changed) int64 { return int64(j.Progress.Percent) }),
		col("expires", "timestamptz", all, func(j changed) *time.Time { return maybe(j.Expires) }),
		col("before", "bigint", all, func(j changed) int64 { return j.before }),
	}
}

// acceptedValues are what a job begins with, as job.Accept leaves it; the others have defaults.
func acceptedValues(all []accepted) []column {
	return []column{
		col("id", "text", all, func(j accepted) string { return text(j.ID) }),
		col("state", "text", all, func(j accepted) string { return text(j.State) }),
		col("updated", "timestamptz", all, func(j accepted) time.Time { return j.Updated }),
		col("image_id", "text", all, func(j accepted) string { return text(j.ImageID) }),
		col("original", "text", all, func(j accepted) string { return text(j.Original) }),
		col("recipe", "text", all, func(j accepted) string { return j.recipe }),
		col("preset", "text", all, func(j accepted) string { return text(j.Preset) }),
		col("created", "timestamptz", all, func(j accepted) time.Time { return j.Created }),
		col("batch_id", "text", all, func(j accepted) string { return text(j.BatchID) }),
		col("tenant", "text", all, func(j accepted) string { return text(j.Tenant) }),
		col("class", "text", all, func(j accepted) string { return text(j.Class.OrNormal()) }),
		col("max_attempts", "bigint", all, func(j accepted) int64 { return int64(j.MaxAttempts) }),
		col("not_before", "timestamptz", all, func(j accepted) *time.Time { return maybe(j.NotBefore) }),
		col("keep", "bigint", all, func(j accepted) int64 { return j.Keep.Microseconds() }),
		col("webhook", "text", all, func(j accepted) string { return text(j.Webhook) }),
		col("is_unique", "boolean", all, func(j accepted) bool { return j.Unique }),
	}
}

func resultValues(all []madeResult) []column {
	return []column{
		col("job_id", "text", all, func(r madeResult) string { return text(r.job) }),
		col("position", "bigint", all, func(r madeResult) int64 { return r.position }),
		col("image_id", "text", all, func(r madeResult) string { return text(r.image) }),
		col("name", "text", all, func(r madeResult) string { return text(r.Name) }),
		col("key", "text", all, func(r madeResult) string { return text(r.Key) }),
		col("digest", "text", all, func(r madeResult) string { return text(r.Digest) }),
		col("size", "bigint", all, func(r madeResult) int64 { return r.Size }),
		col("format", "text", all, func(r madeResult) string { return text(r.Format) }),
		col("content_type", "text", all, func(r madeResult) string { return text(r.ContentType) }),
		col("width", "bigint", all, func(r madeResult) int64 { return int64(r.Width) }),
		col("height", "bigint", all, func(r madeResult) int64 { return int64(r.Height) }),
		col("pages", "bigint", all, func(r madeResult) int64 { return int64(r.Pages) }),
	}
}

func eventValues(all []happened) []column {
	return []column{
		col("job_id", "text", all, func(e happened) string { return text(e.job) }),
		col("sequence", "bigint", all, func(e happened) int64 { return e.Sequence }),
		col("time", "timestamptz", all, func(e happened) time.Time { return e.Time }),
		col("state", "text", all, func(e happened) string { return text(e.State) }),
		col("attempt", "bigint", all, func(e happened) int64 { return int64(e.Attempt) }),
		col("node", "text", all, func(e happened) string { return text(e.Node) }),
		col("failure_reason", "text", all, func(e happened) *string { return part(e.Failure, func(f *job.Failure) string { return f.Reason }) }),
		col("failure_message", "text", all, func(e happened) *string { return part(e.Failure, func(f *job.Failure) string { return f.Message }) }),
		col("failure_variant", "text", all, func(e happened) *string { return part(e.Failure, func(f *job.Failure) string { return f.Variant }) }),
		col("phase", "text", all, func(e happened) string { return text(e.Progress.Phase) }),
		col("percent", "bigint", all, func(e happened) int64 { return int64(e.Progress.Percent) }),
	}
}

func messageValues(all []posted) []column {
	return []column{
		col("job_id", "text", all, func(m posted) string { return text(m.job) }),
		col("topic", "text", all, func(m posted) string { return text(m.Topic) }),
		col("class", "text", all, func(m posted) string { return text(m.Class.OrNormal()) }),
		col("tenant", "text", all, func(m posted) string { return text(m.Tenant) }),
		col("turn", "bigint", all, func(m posted) int64 { return m.turn }),
		col("message_id", "text", all, func(m posted) string { return text(m.ID) }),
		col("headers", "text", all, func(m posted) string { return text(m.headers) }),
		col("body", "bytea", all, func(m posted) []byte { return bytes(m.Body) }),
	}
}

func webhookValues(all []job.Webhook) []column {
	return []column{
		col("id", "text", all, func(w job.Webhook) string { return text(w.ID) }),
		col("job_id", "text", all, func(w job.Webhook) string { return text(w.Job) }),
		col("url", "text", all, func(w job.Webhook) string { return text(w.URL) }),
		col("body", "bytea", all, func(w job.Webhook) []byte { return bytes(w.Body) }),
		col("state", "text", all, func(w job.Webhook) string { return text(w.State) }),
		col("attempts", "bigint", all, func(w job.Webhook) int64 { return int64(w.Attempts) }),
		col("due", "timestamptz", all, func(w job.Webhook) time.Time { return w.Due }),
		col("answer", "text", all, func(w job.Webhook) string { return text(w.Answer) }),
		col("created", "timestamptz", all, func(w job.Webhook) time.Time { return w.Created }),
		col("ended", "timestamptz", all, func(w job.Webhook) *time.Time { return maybe(w.Ended) }),
	}
}

func receiptValues(all []job.Receipt) []column {
	return []column{
		col("key", "text", all, func(r job.Receipt) string { return text(r.Key) }),
		col("payload", "text", all, func(r job.Receipt) string { return text(r.Payload) }),
		col("image_id", "text", all, func(r job.Receipt) *string {
			if r.Image == "" {
				return nil
			}
			id := text(r.Image)
			return &id
		}),
		col("job_id", "text", all, func(r job.Receipt) string { return text(r.Job) }),
		col("batch_id", "text", all, func(r job.Receipt) string { return text(r.Batch) }),
		col("created", "timestamptz", all, func(r job.Receipt) time.Time { return r.Created }),
		col("expires", "timestamptz", all, func(r job.Receipt) time.Time { return r.Expires }),
	}
}

// bytes are there even when they are none: NULL is something else.
func bytes(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
