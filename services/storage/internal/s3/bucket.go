package s3

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/minio/minio-go/v7"

	"calotype/kit/fault"
)

// bucket is whether the bucket is known to be there. A store describes an object in a bucket that is missing just as a missing
// object, so it is asked once, by whoever comes first.
type bucket struct {
	there atomic.Bool
	turn  chan struct{} // holds one while somebody asks
}

// ready makes sure that there is a bucket. It asks the store only until it has found or made one.
func (c *cluster) ready(ctx context.Context) error {
	if c.bucket.there.Load() {
		return nil
	}
	select {
	case c.bucket.turn <- struct{}{}:
		defer func() { <-c.bucket.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if c.bucket.there.Load() {
		return nil
	}
	is := false
	err := c.do(ctx, "head bucket", func(ctx context.Context, core *minio.Core) (err error) {
		is, err = core.BucketExists(ctx, c.cfg.Bucket)
		return err
	})
	if err == nil && !is {
		err = c.makeBucket(ctx)
	}
	c.bucket.there.Store(err == nil)
	var said minio.ErrorResponse
	if err != nil && fault.As(err) == nil && errors.As(err, &said) {
		return refuses(err, "the object store refuses the storage's key, or its use of the bucket %s: %s", c.cfg.Bucket, said.Code)
	}
	return c.classify(err, "look for its bucket")
}

func (c *cluster) makeBucket(ctx context.Context) error {
	if !c.cfg.CreateBucket {
		return c.noBucket(nil)
	}
	err := c.do(ctx, "make bucket", func(ctx context.Context, core *minio.Core) error {
		return core.MakeBucket(ctx, c.cfg.Bucket, minio.MakeBucketOptions{Region: c.cfg.Region})
	})
	if code := codeOf(err); code == "BucketAlreadyOwnedByYou" {
		err = nil // another node was quicker
	} else if code == "BucketAlreadyExists" {
		return refuses(err, "the object store has a bucket %s that is somebody else's", c.cfg.Bucket)
	}
	if err == nil {
		c.log.Info("made the bucket", "bucket", c.cfg.Bucket)
	}
	return err
}

// lost notes that the bucket is gone, so that it is looked for again.
func (c *cluster) lost(err error) {
	if codeOf(err) == minio.NoSuchBucket {
		c.bucket.there.Store(false)
	}
}
