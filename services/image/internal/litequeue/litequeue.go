// Package litequeue is the embedded job queue: a SQLite file that one process or several on the same machine share. A message
// that was published is on the disk; a message that is worked on is leased, and comes back when its owner dies.
// It knows nothing of what messages mean.
package litequeue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

// Config says where a queue is and how patient it is.
type Config struct {
	Path          string        `koanf:"path" doc:"file of the embedded queue"`
	Lease         time.Duration `koanf:"lease" doc:"how long a message stays with a consumer that shows no life"`
	MaxDeliveries int           `koanf:"max_deliveries" doc:"how many deliveries may be lost before a message is set aside"`
	Poll          time.Duration `koanf:"poll" doc:"how soon messages of other processes are seen"`
	// Exclusive means that no other process uses the file: leases found at Open belong to nobody and are given back at once.
	// It is enforced where the system has advisory locks.
	Exclusive bool `koanf:"exclusive" doc:"no other process uses the queue's file, so that a restart goes on at once"`
}

// DefaultConfig lacks only the path.
func DefaultConfig() Config {
	return Config{Lease: 10 * time.Second, MaxDeliveries: 3, Poll: 50 * time.Millisecond}
}

// Validate finds what is wrong with the figures.
func (c Config) Validate() []fault.Field {
	var fields []fault.Field
	if c.Lease < 100*time.Millisecond {
		fields = append(fields, fault.Field{Path: "lease", Message: "it must be 100ms at least"})
	}
	if c.MaxDeliveries < 1 {
		fields = append(fields, fault.Field{Path: "max_deliveries", Message: "it must be 1 at least"})
	}
	if c.Poll < time.Millisecond {
		fields = append(fields, fault.Field{Path: "poll", Message: "it must be 1ms at least"})
	}
	return fields
}

// Queue is a job.Queue.
type Queue struct {
	cfg  Config
	log  *slog.Logger
	db   *sql.DB
	lock *os.File

	counts  counts
	ops     chan *op
	ending  chan struct{} // closed by Close: no message is taken any more
	closing chan struct{} // closed when no taking is under way: no operation is begun any more
	stopped chan struct{} // closed by the writer: no operation is under way
	once    sync.Once
	abandon bool // Close leaves leases as they are, as a process does that is killed

	mu        sync.Mutex
	consumers map[*consumer]struct{}
	taking    sync.WaitGroup // loops of consumers
	orphans   []*lease       // of handlers that returned after Close: end gives them back
}

var _ job.Queue = (*Queue)(nil)

// Open opens the queue in cfg.Path, whose folder must exist, and creates it where it is not there.
// Fails with fault.Conflict, reason QUEUE_IN_USE, when another process has it, and either wants it alone.
func Open(cfg Config, log *slog.Logger) (*Queue, error) {
	if fields := cfg.Validate(); len(fields) > 0 {
		return nil, &fault.Error{Kind: fault.Invalid, Reason: "BAD_CONFIG", Message: "the queue is configured wrongly", Fields: fields}
	}
	path, err := filepath.Abs(cfg.Path)
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "", "the queue's file has no path")
	}
	lock, err := lockFile(path+".lock", cfg.Exclusive)
	if err != nil {
		return nil, err
	}
	q := &Queue{
		cfg: cfg, log: log, lock: lock,
		ops: make(chan *op, maxBatch), ending: make(chan struct{}), closing: make(chan struct{}), stopped: make(chan struct{}),
		consumers: map[*consumer]struct{}{},
	}
	if err := q.open(path); err != nil {
		return nil, errors.Join(fmt.Errorf("the queue in %s: %w", path, err), lock.Close())
	}
	return q, nil
}

func (q *Queue) open(path string) error {
	db, err := openDB(path)
	if err != nil {
		return fault.Wrap(err, fault.Internal, "", "the queue cannot be opened")
	}
	w, err := newWriter(q, db)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	q.db = db
	go w.run()
	return nil
}

// Close ends what is running: handlers' contexts end, their messages are given back at once and what they decide is ignored.
// Consume returns, with an error, when the last handler has. For an orderly end, end Consume's context first and wait.
func (q *Queue) Close() error {
	var err error
	q.once.Do(func() {
		q.mu.Lock()
		close(q.ending)
		q.mu.Unlock()
		for _, c := range q.all() {
			c.cancelAll()
		}
		if !q.abandon {
			q.taking.Wait()
		}
		close(q.closing)
		<-q.stopped
		err = errors.Join(q.db.Close(), q.lock.Close())
	})
	return err
}

// enter lists a consumer, unless the queue is closed.
func (q *Queue) enter(c *consumer) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if closed(q.ending) {
		return errClosed()
	}
	q.consumers[c] = struct{}{}
	q.taking.Add(1)
	return nil
}

// all gives the consumers.
func (q *Queue) all() []*consumer {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Collect(maps.Keys(q.consumers))
}

// orphan keeps a lease that nobody settled for the writer to give back.
func (q *Queue) orphan(l *lease) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.orphans = append(q.orphans, l)
}

func (q *Queue) leave(c *consumer) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.consumers, c)
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// errClosed is what every operation ends with after Close.
func errClosed() error { return fault.New(fault.Unavailable, "QUEUE_CLOSED", "the queue is closed") }

// wake tells the consumers of a topic, or of all topics, that there may be something to take.
func (q *Queue) wake(topic string) {
	for _, c := range q.all() {
		if topic == "" || c.topic == topic {
			signal(c.woken)
		}
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// pause waits for a while that grows with the tries that failed, unless ctx ends or the queue is closed.
func (q *Queue) pause(ctx context.Context, tries int) {
	d := min(50*time.Millisecond<<min(tries, 6), 2*time.Second)
	t := time.NewTimer(d/2 + rand.N(d/2))
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-q.ending:
	case <-t.C:
	}
}
