package job

import (
	"context"
	"time"

	"calotype/kit/fault"
)

// What all stores have in common: methods may be called concurrently, by several managers on one store; times are kept to the
// microsecond. Beside the errors named below, fault.Unavailable says that the store does not answer, and the context's own errors
// come back as they are; an error means that nothing was changed, but for
// STORE_UNAVAILABLE from a store that was lost in the middle of a commit: then the change may have taken place.

// Register takes in work.
type Register interface {
	// Commit makes all of c durable in one transaction, or nothing of it, and returns the receipt in force: c's own, or, when its key was
	// used before for the same payload and has not expired, that of the commit before, in which case nothing is changed.
	// A commit without a key always takes place.
	//
	// Where c has one job, which is Unique, and a job that has not ended is on the same original with an equal recipe, that job and its
	// image are the receipt's, and nothing else is kept but the receipt.
	//
	// Errors: fault.Conflict with reason IDEMPOTENCY_KEY_REUSED when the key was used for another payload; fault.NotFound when a job
	// is on an image that is neither in c nor in the store.
	Commit(ctx context.Context, c Commit) (Receipt, error)
	// Receipt finds what was committed under a key and has not expired at now; else fault.NotFound.
	Receipt(ctx context.Context, key string, now time.Time) (Receipt, error)
}

// Commit is everything that one accepted request makes durable.
type Commit struct {
	Image   *Image   // nil when it is registered already
	Batch   *Batch   // nil when none was asked for
	Jobs    []Change // none when none was asked for
	Receipt Receipt
}

// Receipt remembers what was answered to an idempotency key. With an empty Key it is not kept. It goes when its image is forgotten.
type Receipt struct {
	Key     string
	Payload Digest  // of the meaningful request
	Image   ImageID // empty for a batch
	Job     ID      // empty when none was asked for
	Batch   BatchID // empty when none was asked for
	Created time.Time
	Expires time.Time
}

// KeyReused is the error for an idempotency key that came with another payload before.
func KeyReused() error {
	return fault.New(fault.Conflict, "IDEMPOTENCY_KEY_REUSED", "the idempotency key was used before, for another request")
}

// Images finds originals.
type Images interface {
	// Image finds one, or fault.NotFound.
	Image(ctx context.Context, id ImageID) (Image, error)
	// Those gives the ones of some images that are there.
	Those(ctx context.Context, ids []ImageID) (map[ImageID]Image, error)
	// Images gives up to limit images, the newest first, older than the one named; "" begins.
	Images(ctx context.Context, after ImageID, limit int) ([]Image, error)
	// Result finds the result of that name which the newest succeeded job on the image made, or fault.NotFound.
	Result(ctx context.Context, id ImageID, name string) (Result, error)
	// Forget removes an image with its jobs, results, events, receipts and unsent messages, in one transaction, and
	// returns the jobs that had not ended. Forgetting what is not there succeeds.
	Forget(ctx context.Context, id ImageID) ([]ID, error)
}

// Jobs finds and moves jobs.
type Jobs interface {
	// Job finds one, or fault.NotFound.
	Job(ctx context.Context, id ID) (Job, error)
	// Jobs gives up to limit jobs that f lets through, the newest first, older than the one named; "" begins.
	Jobs(ctx context.Context, f Filter, after ID, limit int) ([]Job, error)
	// Update shows the job to change and makes what it returns durable, in one transaction between which and the reading no other
	// change of this job can come. It returns the job as it then stands. A change without events keeps nothing. change may be
	// called more than once; its error undoes everything and comes back as it is. fault.NotFound when there is no such job.
	Update(ctx context.Context, id ID, change func(Job) (Change, error)) (Job, error)
	// Events gives up to limit events after a sequence, in order; none when there is no such job.
	Events(ctx context.Context, id ID, after int64, limit int) ([]Event, error)
	// Drop removes a job that has ended, with all that hangs on it. Dropping what is not there succeeds; one that has not ended is
	// fault.Conflict with reason JOB_NOT_ENDED.
	Drop(ctx context.Context, id ID) error
}

// Batches finds batches.
type Batches interface {
	// Batch finds one and counts its jobs, or fault.NotFound.
	Batch(ctx context.Context, id BatchID) (Batch, error)
}

// Filter chooses jobs. Its zero value lets all through.
type Filter struct {
	Image  ImageID
	Batch  BatchID
	Tenant string
	Reason string // of the failure
	States []State
}

// Outgoing is a message on its way to the queue.
type Outgoing struct {
	Topic  string
	Tenant string // whose it is
	Message
}

// Outbox holds messages from the transaction that caused them until the queue has them.
type Outbox interface {
	// Backlog counts the messages; it is cheap enough to be asked every second, and may be a moment behind.
	Backlog(ctx context.Context) (int, error)
	// Relay takes up to limit messages of a class, hands them to publish, and forgets them when it returns nil; otherwise they
	// stay, and its error comes back. Where a store can, it keeps messages that are with one relay from others; they must
	// bear being published twice all the same, for a crash may come in between. It returns how many were published.
	//
	// Tenants take turns: a message gets its turn when it is committed, the one after its tenant's last or after that of the message
	// that is next in its class, whichever is later. Messages are taken by turn, those of one tenant in the order of their commits.
	Relay(ctx context.Context, class Class, limit int, publish func(context.Context, []Outgoing) error) (int, error)
}

// Webhooks holds notices until they are delivered.
type Webhooks interface {
	// Claim takes up to limit pending notices that are due at now, the longest due first, and makes them due at until, so that nobody else
	// takes them before.
	Claim(ctx context.Context, now, until time.Time, limit int) ([]Webhook, error)
	// Settle notes the outcome of an attempt, or that there was none. One that was settled meanwhile, or is gone, is left as it is: attempts is what the
	// claimed notice had.
	Settle(ctx context.Context, id WebhookID, attempts int, o WebhookOutcome) error
	// Webhooks gives up to limit notices that f lets through, the newest first (by ID), older than the one named; "" begins.
	Webhooks(ctx context.Context, f WebhookFilter, after WebhookID, limit int) ([]Webhook, error)
	// Replay makes a notice pending and due at now, with its attempts counted anew. fault.NotFound when there is none.
	Replay(ctx context.Context, id WebhookID, now time.Time) (Webhook, error)
}

// Upkeep is what keeps a store in order.
type Upkeep interface {
	// Stale gives up to limit jobs that are queued or running, that nothing happened to since a time, and for which no message waits in
	// the outbox; the longest untouched first.
	Stale(ctx context.Context, since time.Time, limit int) ([]ID, error)
	// Due gives up to limit scheduled jobs whose time has come at now, the longest due first.
	Due(ctx context.Context, now time.Time, limit int) ([]ID, error)
	// Expired gives up to limit images, and up to limit jobs, whose time to live is over at now, but for those with notices
	// that are pending: who asked to be told is told first.
	Expired(ctx context.Context, now time.Time, limit int) ([]ImageID, []ID, error)
	// Unreferenced gives those of the digests that are neither an image's original nor a result's bytes.
	Unreferenced(ctx context.Context, digests []Digest) ([]Digest, error)
	// Expire removes the receipts that have expired at now, the notices that ended KeepWebhooks before, and the batches that are
	// KeepBatches old and have no jobs.
	Expire(ctx context.Context, now time.Time) error
	// Lead notes the fence of whoever leads a duty. A fence below one that was noted is fault.Conflict with reason FENCED.
	Lead(ctx context.Context, duty string, fence int64) error
	// Census counts; it may be a moment behind.
	Census(ctx context.Context) (Census, error)
	// Ping tells whether the store would take a change now.
	Ping(ctx context.Context) error
}

// How long a store keeps what nobody asks for any more.
const (
	KeepWebhooks = 7 * 24 * time.Hour
	KeepBatches  = 30 * 24 * time.Hour
)

// Census is what a store holds.
type Census struct {
	Jobs             map[State]int // every state has an entry
	OldestUnfinished time.Time     // when the oldest job that is queued or running was made; zero with none
	Outbox           int           // messages that the queue does not have yet
	OldestOutgoing   time.Time     // when the oldest of them was committed; zero with none
	Webhooks         int           // notices that are pending
	OldestWebhook    time.Time     // when the oldest of them was made; zero with none
}

// Store is all of them: what an adapter provides, and what storetest tries. Each consumer asks for the part it needs.
type Store interface {
	Register
	Images
	Jobs
	Batches
	Outbox
	Webhooks
	Upkeep
}
