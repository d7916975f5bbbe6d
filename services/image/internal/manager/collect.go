package manager

import (
	"context"
	"log/slog"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

const collectPage = 1000 // blobs that are looked through at once

// Blobs is where the bytes of originals and results are. Concurrent calls are fine.
type Blobs interface {
	// Touch notes that a blob is used now. fault.NotFound when it is not there.
	Touch(ctx context.Context, d job.Digest) error
	// Unused looks through up to limit blobs, from the one that token stands for, "" being the first, and gives those that were neither
	// put nor touched since a time; there may be none, and more behind them. The next token is "" at the end.
	Unused(ctx context.Context, since time.Time, token string, limit int) (found []job.Digest, next string, err error)
	// Delete removes a blob, unless it was put or touched at unusedSince or later, which is fault.Conflict with reason BLOB_IN_USE.
	// Removing what is not there succeeds.
	Delete(ctx context.Context, d job.Digest, unusedSince time.Time) error
}

// References knows which bytes are needed.
type References interface {
	// Unreferenced gives those of the digests that are neither an image's original nor a result's bytes.
	Unreferenced(ctx context.Context, digests []job.Digest) ([]job.Digest, error)
}

// Collector gives back the bytes that nothing refers to: those of images and jobs that were deleted or have expired, of uploads
// that were never registered, of results that were reported too late.
//
// It can never take what is needed. Bytes are needed once the store refers to them, and whatever makes the store do so uses the blob
// shortly before: Images.Create touches the original, a node puts results before it reports them. So when a commit makes a reference
// to a blob, then its last use is younger than the grace, as long as no commit comes later than the grace after that use. Now
// look at a blob that this collector finds unused for longer than the grace:
//   - the use for the sake of a reference came before that look. Then so did the commit, and the store, which is asked
//     after the look, knows the reference.
//   - it comes after the look. Then either it comes before the deletion, which is on the condition that there was none since, and
//     finds the blob in use; or it comes after the deletion, and finds no blob: the registration fails as one of unknown
//     bytes, and a Put stores them anew.
//
// What could be late is a report: it may stand in the queue for longer than the grace while no manager runs. So Reports touches the results
// that an old one tells of before it is applied, and has them made again when they are gone; and to spare that, nothing is collected
// while a report has waited for half of the grace. Two collectors at once do no harm, so that a leader who does not know yet that it
// was replaced does none; clocks that differ shorten the grace by their difference.
type Collector struct {
	blobs  Blobs
	store  References
	queue  job.Queue
	grace  time.Duration
	now    func() time.Time
	counts *Counts
	log    *slog.Logger
}

// Round looks through all blobs once.
func (c *Collector) Round(ctx context.Context) error {
	depth, err := c.queue.Depth(ctx, job.Reports)
	if err != nil {
		return err
	}
	if depth.Oldest >= c.grace/2 {
		c.log.WarnContext(ctx, "no bytes are collected while reports wait for so long", "oldest", depth.Oldest)
		return nil
	}
	since := c.now().Add(-c.grace)
	var s sweep
	for token, more := "", true; more; more = token != "" {
		var found []job.Digest
		if found, token, err = c.blobs.Unused(ctx, since, token, collectPage); err != nil {
			break
		}
		if err = c.page(ctx, found, since, &s); err != nil {
			break
		}
	}
	if s.deleted+s.used+s.failed > 0 {
		c.log.InfoContext(ctx, "bytes that nothing refers to were collected", "blobs", s.deleted, "used_meanwhile", s.used, "failed", s.failed)
	}
	if err == nil {
		err = s.first
	}
	return err
}

// sweep is what came of one round.
type sweep struct {
	deleted, used, failed int
	first                 error // of those that failed
}

func (c *Collector) page(ctx context.Context, found []job.Digest, since time.Time, s *sweep) error {
	if len(found) == 0 {
		return nil
	}
	free, err := c.store.Unreferenced(ctx, found)
	if err != nil {
		return err
	}
	for _, d := range free {
		err := c.blobs.Delete(ctx, d, since)
		switch {
		case err == nil:
			s.deleted++
			c.counts.keep(blobCollected, 1)
		case fault.ReasonOf(err) == "BLOB_IN_USE":
			s.used++
			c.counts.keep(blobSpared, 1)
		case ctx.Err() != nil, fault.Is(err, fault.Unavailable):
			return err
		default: // a damaged disk must not keep the bytes behind it
			if s.failed++; s.first == nil {
				s.first = err
			}
		}
	}
	return nil
}
