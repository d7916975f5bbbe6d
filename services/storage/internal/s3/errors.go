package s3

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"

	"calotype/kit/fault"
	"calotype/services/storage/internal/blob"
)

// away is the error of a store that cannot be reached at all. It comes with a hint, so that a caller does not take the node, which can
// do nothing about it, for the one that is broken.
func away(cause error) error {
	err := fault.New(fault.Unavailable, "STORAGE_AWAY", "the object store behind the storage cannot be reached")
	err.Err, err.RetryAfter = cause, time.Second+rand.N(time.Second)
	return err
}

// busy is the error for what may go well a little later.
func busy(cause error, after time.Duration) error {
	err := fault.New(fault.Unavailable, "STORAGE_BUSY", "the object store behind the storage could not do it now")
	err.Err, err.RetryAfter = cause, max(after, time.Second)
	return err
}

// refuses is the error of a store that does not want us. It passes: another node may hold the right key, or this one get it.
func refuses(cause error, format string, args ...any) error {
	err := fault.New(fault.Unavailable, "STORAGE_REFUSED", format, args...)
	err.Err, err.RetryAfter = cause, 10*time.Second
	return err
}

func codeOf(err error) string {
	var said minio.ErrorResponse
	if errors.As(err, &said) {
		return said.Code
	}
	return ""
}

func isMissing(err error) bool {
	var said minio.ErrorResponse
	return errors.As(err, &said) && said.Code == minio.NoSuchKey
}

// isTaken reports that an object that was to be new is there.
func isTaken(err error) bool {
	switch codeOf(err) {
	case minio.PreconditionFailed, "ConditionalRequestConflict":
		return true
	}
	return false
}

// classify says what an error means for a caller; nil and what is a fault already stay as they are.
func (c *cluster) classify(err error, doing string) error {
	var said minio.ErrorResponse
	switch {
	case err == nil, fault.As(err) != nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case !errors.As(err, &said):
		return fault.Wrap(err, fault.Internal, "STORAGE_BROKEN", "the storage could not %s", doing)
	}
	switch said.Code {
	case minio.NoSuchBucket:
		return c.noBucket(err)
	case "QuotaExceeded", "XMinioStorageFull", "InsufficientStorage":
		return blob.Full(err)
	case minio.AccessDenied, minio.InvalidAccessKeyID, minio.SignatureDoesNotMatch, minio.AuthorizationHeaderMalformed, "RequestTimeTooSkewed":
		return refuses(err, "the object store refuses the storage's key: %s", said.Code)
	}
	switch said.StatusCode {
	case http.StatusInsufficientStorage:
		return blob.Full(err)
	case http.StatusForbidden, http.StatusUnauthorized: // the answer to a HEAD has no code
		return refuses(err, "the object store refuses the storage's key")
	}
	return fault.Wrap(err, fault.Internal, "STORAGE_BROKEN", "the storage could not %s", doing)
}

func (c *cluster) noBucket(cause error) error {
	return refuses(cause, "the object store has no bucket %s, and the storage may not make it", c.cfg.Bucket)
}
