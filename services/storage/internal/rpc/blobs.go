package rpc

import (
	"context"
	"encoding/base64"

	"calotype/kit/fault"
	storagev1 "calotype/proto/storage/v1"
	"calotype/services/storage/internal/blob"
)

const (
	defaultPage = 100
	maxPage     = 1000
)

// Stat describes a blob.
func (h *Handler) Stat(ctx context.Context, in *storagev1.StatRequest, out *storagev1.Blob) error {
	d, err := parse(in.GetDigest(), "digest")
	if err != nil {
		return err
	}
	info, err := h.store.Stat(ctx, d)
	if err != nil {
		return err
	}
	fill(out, info)
	return nil
}

// Touch notes that a blob is used.
func (h *Handler) Touch(ctx context.Context, in *storagev1.TouchRequest, out *storagev1.Blob) error {
	d, err := parse(in.GetDigest(), "digest")
	if err != nil {
		return err
	}
	info, err := h.store.Touch(ctx, d)
	if err != nil {
		return err
	}
	fill(out, info)
	return nil
}

// Delete removes a blob.
func (h *Handler) Delete(ctx context.Context, in *storagev1.DeleteRequest, _ *storagev1.DeleteResponse) error {
	d, err := parse(in.GetDigest(), "digest")
	if err != nil {
		return err
	}
	since, err := when(in.GetUnusedSince(), "unused_since")
	if err != nil {
		return err
	}
	return h.store.Delete(ctx, d, since)
}

// List gives a page of blobs. What the filter leaves out counts as listed, so that no call looks through more than a page.
func (h *Handler) List(ctx context.Context, in *storagev1.ListRequest, out *storagev1.ListResponse) error {
	size := int(in.GetPageSize())
	if size < 0 || size > maxPage {
		return fault.New(fault.Invalid, "BAD_PAGE_SIZE", "a page holds 1 to %d blobs, not %d", maxPage, size)
	}
	if size == 0 {
		size = defaultPage
	}
	after, err := parseToken(in.GetPageToken())
	if err != nil {
		return err
	}
	since, err := when(in.GetUnusedSince(), "unused_since")
	if err != nil {
		return err
	}
	// One more than asked for tells whether there is a next page.
	page, err := h.store.List(ctx, after, size+1)
	if err != nil {
		return err
	}
	if len(page) > size {
		page = page[:size]
		out.NextPageToken = token(page[size-1].Digest)
	}
	out.Blobs = make([]*storagev1.Blob, 0, len(page))
	for _, info := range page {
		if in.GetUnusedSince() == nil || info.Used.Before(since) {
			out.Blobs = append(out.Blobs, fill(&storagev1.Blob{}, info))
		}
	}
	return nil
}

// A token is the last digest of its page behind a version; its form is nobody else's business.
const tokenVersion = 1

func token(last blob.Digest) string {
	return base64.RawURLEncoding.EncodeToString(append([]byte{tokenVersion}, last[:]...))
}

func parseToken(s string) (blob.Digest, error) {
	var d blob.Digest
	if s == "" {
		return d, nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != 1+len(d) || b[0] != tokenVersion {
		return d, fault.New(fault.Invalid, "BAD_PAGE_TOKEN", "no List gave this page token")
	}
	return blob.Digest(b[1:]), nil
}
