// Package s3 keeps blobs in a bucket of an object store that speaks S3; Ceph's RGW is the reference. Bytes are the object
// blobs/<digest>, which is written once; when they were used last stands beside them, in uses/<digest>. It knows no wire format of ours.
package s3

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
	"golang.org/x/sync/errgroup"

	"calotype/kit/fault"
	"calotype/services/storage/internal/blob"
)

// What the keys in the bucket begin with.
const (
	blobs     = "blobs/" // the bytes of a blob
	uses      = "uses/"  // nothing, with a time in the metadata: when the blob was used last
	temporary = "tmp/"   // bytes whose digest is not known yet
)

// usedKey is the metadata's name as it comes back: x-amz-meta-used.
const usedKey = "Used"

var emptySum = func() string { sum := sha256.Sum256(nil); return hex.EncodeToString(sum[:]) }()

// Store is a blob.Store on an object store.
//
// Two rules of the port hold as far as S3 allows. Put, Touch and Delete of one blob are in order within a process; between processes a
// Delete looks at the use once more right before it deletes, and what is used in that very moment is kept only by the grace that
// callers of a conditional Delete allow. And a use noted by two processes in the same moment may be the earlier of the two.
type Store struct {
	cfg     Config
	cluster *cluster
	log     *slog.Logger
	metrics *Metrics
	order   order
	memory  *memory
	copies  sync.Pool // buffers to read by

	stop    context.CancelFunc
	running sync.WaitGroup
}

var _ blob.Store = (*Store)(nil)

// Open begins to watch the endpoints and to sweep what dead uploads have left. It does not wait for the object store, which may come up
// later. Several Stores, in one process or many, may share a bucket. Close ends both.
func Open(cfg Config, log *slog.Logger, metrics *Metrics) (*Store, error) {
	cluster, err := newCluster(cfg, log, metrics)
	if err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg, cluster: cluster, log: log, metrics: metrics, memory: newMemory(cfg, metrics)}
	s.copies.New = func() any { b := make([]byte, 256<<10); return &b }
	s.order.busy = map[blob.Digest]*turn{}
	cluster.start()
	var ctx context.Context
	ctx, s.stop = context.WithCancel(context.Background())
	s.running.Go(func() { s.sweepOften(ctx) })
	return s, nil
}

// Close ends what runs in the background. Calls that still run fail.
func (s *Store) Close() error {
	s.stop()
	s.running.Wait()
	s.cluster.close()
	return nil
}

// Usable reports what keeps this node from the object store for good: a bucket that is missing, a key that is refused, or that it has not
// been reached at all yet. A store that is away for a while is not among that: all nodes share it, none is better than another, and
// each answers at once that it is away.
func (s *Store) Usable(ctx context.Context) error { return s.cluster.ready(ctx) }

// Reachable reports whether the object store answers now.
func (s *Store) Reachable(context.Context) error { return s.cluster.reachable() }

// enter is what each call begins with: an upload is not to come in whole before its caller learns that there is no store.
func (s *Store) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.cluster.reachable(); err != nil {
		return err
	}
	return s.cluster.ready(ctx)
}

// Stat describes a blob.
func (s *Store) Stat(ctx context.Context, d blob.Digest) (blob.Info, error) {
	if err := s.enter(ctx); err != nil {
		return blob.Info{}, err
	}
	return s.describe(ctx, d)
}

// describe asks for the blob and for its use at once.
func (s *Store) describe(ctx context.Context, d blob.Digest) (blob.Info, error) {
	var object minio.ObjectInfo
	var used time.Time
	g, both := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		object, err = s.head(both, blobs+d.String())
		return err
	})
	g.Go(func() (err error) {
		used, err = s.used(both, d)
		return err
	})
	if err := g.Wait(); err != nil {
		return blob.Info{}, s.failed(ctx, err, d, "describe the blob")
	}
	return infoOf(d, object.Size, object.LastModified, used), nil
}

func (s *Store) head(ctx context.Context, key string) (object minio.ObjectInfo, err error) {
	err = s.cluster.do(ctx, "head", func(ctx context.Context, core *minio.Core) (err error) {
		object, err = core.StatObject(ctx, s.cfg.Bucket, key, minio.StatObjectOptions{})
		return err
	})
	return object, err
}

// infoOf puts a description together. The store tells the time of an object in whole seconds in one place and finer in another.
func infoOf(d blob.Digest, size int64, created, used time.Time) blob.Info {
	info := blob.Info{Digest: d, Size: size, Created: created.UTC().Truncate(time.Second), Used: used.UTC()}
	if info.Used.Before(info.Created) {
		info.Used = info.Created
	}
	return info
}

// failed makes an error of the port of what went wrong with a blob.
func (s *Store) failed(ctx context.Context, err error, d blob.Digest, doing string) error {
	if ctx.Err() != nil && fault.As(err) == nil {
		return ctx.Err()
	}
	if isMissing(err) {
		return blob.NotFound(d)
	}
	s.cluster.lost(err)
	return s.cluster.classify(err, doing)
}
