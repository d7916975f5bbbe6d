// Package blobclient reads originals from the storage service and puts results there. It trusts nothing that it reads: bytes that do
// not give their digest are an error.
package blobclient

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"

	"go-micro.dev/v4/client"

	"calotype/kit/fault"
	"calotype/kit/rpc"
	"calotype/proto"
	storagev1 "calotype/proto/storage/v1"
	"calotype/services/image/internal/job"
)

const (
	chunk = 1 << 20
	// tries is how often a transfer is begun: a stream that has begun is not moved to another node by itself.
	tries = 3
)

// Store is the storage service as a node sees it.
type Store struct{ storage storagev1.StorageService }

// New makes a Store that calls through c.
func New(c client.Client) *Store { return &Store{storagev1.NewStorageService(proto.Storage, c)} }

// Open implements worker.Originals.
func (s *Store) Open(ctx context.Context, d job.Digest, limit int64) (data []byte, err error) {
	err = again(ctx, func() error {
		data, err = s.open(ctx, d, limit, true)
		return err
	})
	if fault.ReasonOf(err) == corrupted {
		return s.open(ctx, d, limit, false) // so that storage knows, too, and says whether it was on the way
	}
	return data, err
}

// open reads a blob that is verified here, and by storage only when it is to be.
func (s *Store) open(ctx context.Context, d job.Digest, limit int64, unverified bool) ([]byte, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // however the stream is left, its node is told
	stream, err := s.storage.Get(ctx, &storagev1.GetRequest{Digest: string(d), Unverified: unverified}, rpc.WithKey(string(d)))
	if err != nil {
		return nil, err
	}
	first, err := stream.Recv()
	if err != nil {
		return nil, unfinished(err)
	}
	size := first.GetBlob().GetSize()
	if first.GetBlob() == nil || size < 0 {
		return nil, fault.New(fault.Internal, "", "storage did not say what blob %s is", d)
	}
	if size > limit {
		return nil, fault.New(fault.Invalid, "IMAGE_TOO_LARGE", "the picture is too large: %d bytes, where at most %d are accepted", size, limit)
	}
	data := make([]byte, size)
	for p := (part{rest: data}); ; {
		err := stream.RecvMsg(&p)
		if errors.Is(err, io.EOF) && len(p.rest) == 0 {
			break
		}
		if errors.Is(err, io.EOF) || p.over {
			return nil, corrupt(d)
		}
		if err != nil {
			return nil, err
		}
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != string(d) {
		return nil, corrupt(d)
	}
	return data, nil
}

const corrupted = "BLOB_CORRUPT"

func corrupt(d job.Digest) error {
	return fault.New(fault.Internal, corrupted, "what storage gave for blob %s is something else", d)
}

// Put implements worker.Results.
func (s *Store) Put(ctx context.Context, d job.Digest, data []byte) error {
	return again(ctx, func() error { return s.put(ctx, d, data) })
}

func (s *Store) put(ctx context.Context, d job.Digest, data []byte) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := s.storage.Put(ctx, rpc.WithKey(string(d)))
	if err != nil {
		return err
	}
	header := &storagev1.PutHeader{Digest: string(d), Size: int64(len(data))}
	if err := stream.Send(&storagev1.PutRequest{Part: &storagev1.PutRequest_Header{Header: header}}); err == nil {
		for at := 0; at < len(data); at += chunk {
			part := data[at:min(at+chunk, len(data))]
			if stream.Send(&storagev1.PutRequest{Part: &storagev1.PutRequest_Chunk{Chunk: part}}) != nil {
				break // what the answer says is the reason
			}
		}
		_ = stream.CloseSend()
	}
	answer := new(storagev1.PutResponse)
	if err := stream.RecvMsg(answer); err != nil {
		return unfinished(err)
	}
	if got := answer.GetBlob().GetDigest(); got != string(d) {
		return fault.New(fault.Internal, "", "storage kept blob %s as %q", d, got)
	}
	return nil
}

// again repeats a transfer that broke off; both ways are idempotent.
func again(ctx context.Context, transfer func() error) (err error) {
	for range tries {
		if err = transfer(); err == nil || !fault.Is(err, fault.Unavailable) || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// unfinished makes an end that came too early an error of its own.
func unfinished(err error) error {
	if errors.Is(err, io.EOF) {
		return fault.Wrap(err, fault.Unavailable, "", "storage ended the transfer before its answer")
	}
	return err
}
