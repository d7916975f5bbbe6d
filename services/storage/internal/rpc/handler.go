// Package rpc serves a blob.Store as storage.v1.Storage. It owns what is the same for every store: limits, chunks, page tokens
// and figures. It does not know where blobs are kept.
package rpc

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"calotype/kit/config"
	"calotype/kit/fault"
	storagev1 "calotype/proto/storage/v1"
	"calotype/services/storage/internal/blob"
)

// MaxChunk is the most bytes that one message of a stream carries.
const MaxChunk = 1 << 20

// Config bounds what callers can ask for.
type Config struct {
	MaxBlob    config.Size `koanf:"max_blob" doc:"the largest blob that is accepted"`
	MaxStreams int         `koanf:"max_streams" doc:"how many uploads and downloads run at once; each holds a few MiB"`
}

// DefaultConfig takes blobs of up to 64 GiB.
func DefaultConfig() Config {
	return Config{MaxBlob: 64 * config.GiB, MaxStreams: 256}
}

// Validate reports what is wrong with the configuration.
func (c Config) Validate() []fault.Field {
	var faults []fault.Field
	if c.MaxBlob < 1 {
		faults = append(faults, fault.Field{Path: "max_blob", Message: fmt.Sprintf("%v lets no blob in", c.MaxBlob)})
	}
	if c.MaxStreams < 1 {
		faults = append(faults, fault.Field{Path: "max_streams", Message: fmt.Sprintf("%d lets nobody in", c.MaxStreams)})
	}
	return faults
}

// Handler is the storage service.
type Handler struct {
	store   blob.Store
	cfg     Config
	metrics *Metrics
	streams chan struct{} // one for each stream that runs
}

var _ storagev1.StorageHandler = (*Handler)(nil)

// New makes the service of a store.
func New(store blob.Store, cfg Config, metrics *Metrics) *Handler {
	return &Handler{
		store:   store,
		cfg:     cfg,
		metrics: metrics,
		streams: make(chan struct{}, cfg.MaxStreams),
	}
}

// enter takes a place among the streams, or fails at once: a caller that waits in line holds memory too.
func (h *Handler) enter() (leave func(), err error) {
	select {
	case h.streams <- struct{}{}:
		h.metrics.streams.Inc()
		return func() { h.metrics.streams.Dec(); <-h.streams }, nil
	default:
		busy := fault.New(fault.Unavailable, "STORAGE_BUSY", "%d uploads and downloads are running, the most that are allowed", cap(h.streams))
		busy.RetryAfter = time.Second
		return nil, busy
	}
}

func parse(digest, field string) (blob.Digest, error) {
	d, err := blob.Parse(digest)
	if f := fault.As(err); f != nil {
		f.Fields = []fault.Field{{Path: field, Message: f.Message}}
		f.Message = "the digest is wrong"
	}
	return d, err
}

// when reads a time that may be left out, and only then gives zero: a caller's own zero is the first of all times, not none.
func when(t *timestamppb.Timestamp, field string) (time.Time, error) {
	if t == nil {
		return time.Time{}, nil
	}
	if err := t.CheckValid(); err != nil {
		bad := fault.New(fault.Invalid, "BAD_TIME", "the time is wrong")
		bad.Fields = []fault.Field{{Path: field, Message: "is no time between the years 1 and 9999"}}
		return time.Time{}, bad
	}
	if t.AsTime().IsZero() {
		return time.Time{}.Add(1), nil
	}
	return t.AsTime(), nil
}

func fill(out *storagev1.Blob, info blob.Info) *storagev1.Blob {
	out.Digest, out.Size, out.CreateTime = info.Digest.String(), info.Size, timestamppb.New(info.Created)
	out.UseTime = timestamppb.New(info.Used)
	return out
}
