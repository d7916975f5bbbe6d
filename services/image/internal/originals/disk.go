package originals

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"calotype/kit/cache"
	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

const (
	unfinished = "tmp-"   // begins the names of files that are being written
	most       = 32 << 20 // bytes that wait to be written, one original apart
)

// disk keeps originals as files that have their digests for names, and what is made of them under their keys. What a crash leaves is
// found at the next start; a file is used only when it gives its digest, or ends with its seal, so nothing is synced: what a power cut
// damages is fetched again.
type disk struct {
	folder  string
	idle    time.Duration
	index   *cache.Cache[job.Digest, struct{}]
	dropped func(why string)
	offers  chan offer
	waiting atomic.Int64 // bytes of offers
}

type offer struct {
	digest job.Digest
	data   []byte
}

func openDisk(cfg Config, dropped func(why string)) (*disk, error) {
	if err := os.MkdirAll(cfg.Folder, 0o700); err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "", "worker.originals.folder")
	}
	d := &disk{folder: cfg.Folder, idle: cfg.DiskIdle, dropped: dropped, offers: make(chan offer, 64)}
	d.index = cache.New[job.Digest, struct{}](cache.Config[job.Digest]{
		Bytes: int64(cfg.Disk), Idle: cfg.DiskIdle, Dropped: func(key job.Digest, _ int64, why string) {
			_ = os.Remove(d.path(key)) // what cannot be removed is found again at the next start
			dropped(why)
		},
	})
	probe, err := os.CreateTemp(cfg.Folder, unfinished)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "", "worker.originals.folder")
	}
	return d, errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// load finds what an earlier process kept. Names that are none of ours are left alone.
func (d *disk) load() {
	type kept struct {
		digest job.Digest
		bytes  int64
		used   time.Time
	}
	entries, _ := os.ReadDir(d.folder)
	var found []kept
	for _, e := range entries {
		digest := job.Digest(e.Name())
		info, err := e.Info()
		switch {
		case err != nil || !info.Mode().IsRegular():
		case strings.HasPrefix(e.Name(), unfinished), digest.Valid() && time.Since(info.ModTime()) >= d.idle:
			_ = os.Remove(d.path(digest))
		case digest.Valid():
			found = append(found, kept{digest, info.Size(), info.ModTime()})
		}
	}
	slices.SortFunc(found, func(a, b kept) int { return cmp.Or(a.used.Compare(b.used), cmp.Compare(a.digest, b.digest)) })
	for _, k := range found {
		if d.index.AddUsed(k.digest, struct{}{}, k.bytes, k.used); !d.index.Has(k.digest) { // larger than it would be kept now
			_ = os.Remove(d.path(k.digest))
		}
	}
}

func (d *disk) path(digest job.Digest) string { return filepath.Join(d.folder, string(digest)) }

// original reports whether a file is the original that it is named after.
func original(digest job.Digest, data []byte) bool {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]) == string(digest)
}

// read gives what is kept and whole, and nil for anything else.
func (d *disk) read(digest job.Digest, limit int64, whole func(job.Digest, []byte) bool) []byte {
	if _, ok := d.index.Get(digest); !ok {
		return nil
	}
	path := d.path(digest)
	info, err := os.Stat(path)
	if err == nil && info.Size() > limit {
		return nil // the source says so in its words
	}
	data, err := os.ReadFile(path)
	if err == nil && whole(digest, data) {
		now := time.Now()
		_ = os.Chtimes(path, now, now) // the next process knows by it what was used
		return data
	}
	if !errors.Is(err, fs.ErrNotExist) {
		d.dropped(broken)
	}
	d.index.Remove(digest)
	return nil
}

// offer has an original written soon, unless too much waits for that already.
func (d *disk) offer(digest job.Digest, data []byte) bool {
	if d.waiting.Load() > most {
		return false
	}
	select {
	case d.offers <- offer{digest, data}:
		d.waiting.Add(int64(len(data)))
		return true
	default:
		return false
	}
}

// take writes one. There is a single writer.
func (d *disk) take(o offer) error {
	defer d.waiting.Add(-int64(len(o.data)))
	if d.index.Has(o.digest) || !d.index.Fits(int64(len(o.data))) {
		return nil
	}
	f, err := os.CreateTemp(d.folder, unfinished)
	if err != nil {
		return err
	}
	_, err = f.Write(o.data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), d.path(o.digest))
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	d.index.Add(o.digest, struct{}{}, int64(len(o.data)))
	return nil
}
