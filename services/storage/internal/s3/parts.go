package s3

import (
	"bytes"
	"cmp"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"

	"github.com/google/uuid"
	"github.com/minio/minio-go/v7"
	"golang.org/x/sync/errgroup"

	"calotype/services/storage/internal/blob"
)

func newName() string { return uuid.NewString() }

// multipart is an upload in parts. A few are on their way at once; the store checks the sha256 of each as it comes.
type multipart struct {
	store *Store
	key   string
	id    string
	group *errgroup.Group
	ctx   context.Context // of the parts
	next  int
	size  int64

	mu    sync.Mutex
	parts []minio.CompletePart

	named bool // it is an object now
}

func (s *Store) begin(ctx context.Context, key string) (*multipart, error) {
	m := &multipart{store: s, key: key}
	err := s.cluster.do(ctx, "begin parts", func(ctx context.Context, core *minio.Core) (err error) {
		m.id, err = core.NewMultipartUpload(ctx, s.cfg.Bucket, key, minio.PutObjectOptions{})
		return err
	})
	if err != nil {
		return nil, err
	}
	m.group, m.ctx = errgroup.WithContext(ctx)
	m.group.SetLimit(s.cfg.Concurrency)
	return m, nil
}

// send takes a part over. It waits while as many as allowed are on their way.
func (m *multipart) send(part []byte) error {
	if err := m.ctx.Err(); err != nil {
		m.store.memory.free(part)
		return cmp.Or(m.sent(), err)
	}
	m.next++
	m.size += int64(len(part))
	number := m.next
	m.group.Go(func() error {
		defer m.store.memory.free(part)
		sum := sha256.Sum256(part)
		return m.store.cluster.do(m.ctx, "put part", func(ctx context.Context, core *minio.Core) error {
			done, err := core.PutObjectPart(ctx, m.store.cfg.Bucket, m.key, m.id, number, bytes.NewReader(part), int64(len(part)),
				minio.PutObjectPartOptions{Sha256Hex: hex.EncodeToString(sum[:]), DisableContentSha256: true})
			if err != nil {
				return err
			}
			m.mu.Lock()
			defer m.mu.Unlock()
			m.parts = append(m.parts, minio.CompletePart{PartNumber: number, ETag: done.ETag})
			return nil
		})
	})
	return nil
}

// sent waits for the parts that are on their way.
func (m *multipart) sent() error {
	err := m.group.Wait()
	slices.SortFunc(m.parts, func(a, b minio.CompletePart) int { return a.PartNumber - b.PartNumber })
	return err
}

// name makes an object of the parts, and looks whether it is one. The answer can be lost, or come without an ETag at the first time (RGW): what
// counts is the object.
func (m *multipart) name(ctx context.Context, _ bool) error {
	var etag string
	for range 2 {
		err := m.store.cluster.doWork(ctx, "join parts", m.size, func(ctx context.Context, core *minio.Core) error {
			done, err := core.CompleteMultipartUpload(ctx, m.store.cfg.Bucket, m.key, m.id, m.parts, minio.PutObjectOptions{})
			etag = done.ETag
			return err
		})
		if err != nil && codeOf(err) != minio.NoSuchUpload {
			return err
		}
		if err != nil || etag != "" {
			break
		}
	}
	object, err := m.store.head(ctx, m.key)
	if isMissing(err) {
		return busy(fmt.Errorf("the parts of %s were joined, and it is not there", m.key), 0)
	}
	if err != nil {
		return err
	}
	m.named = true
	if want := m.etag(); want != "" && object.ETag != want {
		return busy(fmt.Errorf("the parts of %s were joined to something else: its ETag is %s, not %s", m.key, object.ETag, want), 0)
	}
	return nil
}

// etag is what S3 makes of the parts' ETags, "" where those are not MD5 sums, as in an encrypted bucket.
func (m *multipart) etag() string {
	all := md5.New() //nolint:gosec // not for secrecy
	for _, p := range m.parts {
		sum, err := hex.DecodeString(p.ETag)
		if err != nil || len(sum) != md5.Size {
			return ""
		}
		all.Write(sum)
	}
	return fmt.Sprintf("%x-%d", all.Sum(nil), len(m.parts))
}

// discard removes what nobody needs any more: the parts, or the temporary object.
func (m *multipart) discard(ctx context.Context) error {
	_ = m.group.Wait() // a part that arrives after the end would stay
	if m.named {
		if m.key[:len(temporary)] == temporary {
			return m.store.remove(ctx, m.key)
		}
		return nil
	}
	err := m.store.abort(ctx, m.key, m.id)
	if err == nil && m.key[:len(temporary)] == temporary {
		err = m.store.remove(ctx, m.key) // where joining them seemed to fail, and did not
	}
	return err
}

func (s *Store) abort(ctx context.Context, key, id string) error {
	err := s.cluster.do(ctx, "abort parts", func(ctx context.Context, core *minio.Core) error {
		return core.AbortMultipartUpload(ctx, s.cfg.Bucket, key, id)
	})
	if codeOf(err) == minio.NoSuchUpload || isMissing(err) {
		return nil
	}
	return err
}

// small is a blob that fits into memory.
type small struct {
	store *Store
	d     blob.Digest
	bytes []byte
}

func (b *small) name(ctx context.Context, fresh bool) error {
	return b.store.cluster.do(ctx, "put", func(ctx context.Context, core *minio.Core) error {
		opts := minio.PutObjectOptions{DisableContentSha256: true} // no signing by chunks: the digest signs all of it
		if fresh {
			opts.SetMatchETagExcept("*")
		}
		_, err := core.PutObject(ctx, b.store.cfg.Bucket, blobs+b.d.String(), bytes.NewReader(b.bytes), int64(len(b.bytes)), "", b.d.String(), opts)
		return err
	})
}
