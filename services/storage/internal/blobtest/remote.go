package blobtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"calotype/kit/fault"
	"calotype/kit/rpc"
	storagev1 "calotype/proto/storage/v1"
	"calotype/services/storage/internal/blob"
)

// Remote is a store that is reached over the wire, by whichever client the functions call: go-micro's stub and plain gRPC's have
// the same shapes. It cannot tell the outcome of a Put.
type Remote struct {
	PutFunc    func(context.Context) (PutStream, error)
	GetFunc    func(context.Context, *storagev1.GetRequest) (GetStream, error)
	StatFunc   func(context.Context, *storagev1.StatRequest) (*storagev1.Blob, error)
	TouchFunc  func(context.Context, *storagev1.TouchRequest) (*storagev1.Blob, error)
	DeleteFunc func(context.Context, *storagev1.DeleteRequest) (*storagev1.DeleteResponse, error)
	ListFunc   func(context.Context, *storagev1.ListRequest) (*storagev1.ListResponse, error)

	tokens sync.Map // by the last digest of a page
}

var _ blob.Store = (*Remote)(nil)

// PutStream is a client's end of an upload.
type PutStream interface {
	Send(*storagev1.PutRequest) error
	CloseSend() error
	RecvMsg(any) error
}

// GetStream is a client's end of a download.
type GetStream interface {
	Recv() (*storagev1.GetResponse, error)
}

// Put uploads in chunks of odd sizes.
func (r *Remote) Put(ctx context.Context, from io.Reader, want blob.Want) (blob.Info, blob.Outcome, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := r.PutFunc(ctx)
	if err != nil {
		return blob.Info{}, 0, known(err)
	}
	header := &storagev1.PutHeader{Size: want.Size}
	if !want.Digest.IsZero() {
		header.Digest = want.Digest.String()
	}
	err = stream.Send(&storagev1.PutRequest{Part: &storagev1.PutRequest_Header{Header: header}})
	buf := make([]byte, 999_999)
	for err == nil {
		var n int
		if n, err = from.Read(buf); n > 0 {
			sent := stream.Send(&storagev1.PutRequest{Part: &storagev1.PutRequest_Chunk{Chunk: append([]byte(nil), buf[:n]...)}})
			if sent != nil {
				break // what RecvMsg says is the reason
			}
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return blob.Info{}, 0, err
		}
	}
	if err := stream.CloseSend(); err != nil {
		return blob.Info{}, 0, known(err)
	}
	var rsp storagev1.PutResponse
	if err := stream.RecvMsg(&rsp); err != nil {
		return blob.Info{}, 0, known(err)
	}
	info, err := infoOf(rsp.GetBlob())
	return info, 0, err
}

// Open downloads.
func (r *Remote) Open(ctx context.Context, d blob.Digest, part blob.Part) (blob.Info, io.ReadCloser, error) {
	ctx, cancel := context.WithCancel(ctx)
	stream, err := r.GetFunc(ctx, &storagev1.GetRequest{Digest: d.String(), Offset: part.Offset, Length: part.Length, Unverified: part.Unverified})
	if err != nil {
		cancel()
		return blob.Info{}, nil, known(err)
	}
	first, err := stream.Recv()
	if err != nil {
		cancel()
		return blob.Info{}, nil, known(err)
	}
	info, err := infoOf(first.GetBlob())
	return info, &download{stream: stream, cancel: cancel}, err
}

type download struct {
	stream GetStream
	cancel context.CancelFunc
	rest   []byte
}

func (d *download) Read(p []byte) (int, error) {
	for len(d.rest) == 0 {
		m, err := d.stream.Recv()
		if err != nil {
			return 0, known(err)
		}
		if d.rest = m.GetChunk(); len(d.rest) == 0 || len(d.rest) > 1<<20 {
			return 0, fmt.Errorf("a chunk of %d bytes came", len(d.rest))
		}
	}
	n := copy(p, d.rest)
	d.rest = d.rest[n:]
	return n, nil
}

func (d *download) Close() error { d.cancel(); return nil }

// Stat describes a blob.
func (r *Remote) Stat(ctx context.Context, d blob.Digest) (blob.Info, error) {
	b, err := r.StatFunc(ctx, &storagev1.StatRequest{Digest: d.String()})
	if err != nil {
		return blob.Info{}, known(err)
	}
	return infoOf(b)
}

// Touch notes that a blob is used.
func (r *Remote) Touch(ctx context.Context, d blob.Digest) (blob.Info, error) {
	b, err := r.TouchFunc(ctx, &storagev1.TouchRequest{Digest: d.String()})
	if err != nil {
		return blob.Info{}, known(err)
	}
	return infoOf(b)
}

// Delete removes a blob.
func (r *Remote) Delete(ctx context.Context, d blob.Digest, unusedSince time.Time) error {
	in := &storagev1.DeleteRequest{Digest: d.String()}
	if !unusedSince.IsZero() {
		in.UnusedSince = timestamppb.New(unusedSince)
	}
	_, err := r.DeleteFunc(ctx, in)
	return known(err)
}

// List goes on from the token of the page that ended with after. Callers cannot start from a digest, so without one it is looked
// for from the beginning.
func (r *Remote) List(ctx context.Context, after blob.Digest, limit int) ([]blob.Info, error) {
	token, _ := r.tokens.Load(after)
	in := &storagev1.ListRequest{PageSize: int32(min(limit, 1000))}
	in.PageToken, _ = token.(string)
	var found []blob.Info
	for {
		page, err := r.ListFunc(ctx, in)
		if err != nil {
			return nil, known(err)
		}
		var last blob.Digest
		for _, b := range page.GetBlobs() {
			info, err := infoOf(b)
			if err != nil {
				return nil, err
			}
			if last = info.Digest; last.Compare(after) > 0 && len(found) < limit {
				found = append(found, info)
			}
		}
		if in.PageToken = page.GetNextPageToken(); in.PageToken == "" {
			return found, nil
		}
		r.tokens.Store(last, in.PageToken)
		if len(found) == limit {
			return found, nil
		}
	}
}

func infoOf(b *storagev1.Blob) (blob.Info, error) {
	d, err := blob.Parse(b.GetDigest())
	return blob.Info{Digest: d, Size: b.GetSize(), Created: b.GetCreateTime().AsTime(), Used: b.GetUseTime().AsTime()}, err
}

// known makes a fault of what plain gRPC returns.
func known(err error) error {
	if err == nil || errors.Is(err, io.EOF) || fault.As(err) != nil {
		return err
	}
	if st, ok := status.FromError(err); ok {
		return rpc.Fault(st)
	}
	return err
}
