package manager

import (
	"context"
	"fmt"
	"slices"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
)

// OverlayNotFound is the reason for a recipe that lays an image over which is not there.
const OverlayNotFound = "OVERLAY_NOT_FOUND"

// overlays puts the digests of what is meant in place of the identifiers of overlays' images, so that a result's key tells the bytes
// that it was made of, and nodes need ask nobody.
//
// Nothing refers to the bytes from then on but the image: when it is deleted, they are collected, and a job that still needs them fails
// with the reason OVERLAY_GONE. Keep lets a job that was accepted have them for the collector's grace at least, which is longer than
// jobs wait that are not scheduled for later.
type overlays struct {
	images job.Images
	blobs  Blobs
}

// resolve fails with fault.NotFound, reason OVERLAY_NOT_FOUND, and names every overlay whose image is not there, under paths
// as those of Recipe.Check.
func (o overlays) resolve(ctx context.Context, r recipe.Recipe) (recipe.Recipe, error) {
	var named []job.ImageID
	r.Overlaid(func(_ string, s recipe.Overlay) recipe.Overlay {
		if id := job.ImageID(s.Image); id != "" && !slices.Contains(named, id) {
			named = append(named, id)
		}
		return s
	})
	if len(named) == 0 {
		return r, nil
	}
	there, err := o.images.Those(ctx, named)
	if err != nil {
		return r, err
	}
	missing := fault.New(fault.NotFound, OverlayNotFound, "an overlay is not there")
	r = r.Overlaid(func(path string, s recipe.Overlay) recipe.Overlay {
		if s.Image == "" {
			return s
		}
		im, ok := there[job.ImageID(s.Image)]
		if !ok {
			missing.Fields = append(missing.Fields, fault.Field{Path: path + ".image_id", Message: fmt.Sprintf("there is no image %.80q", s.Image)})
		}
		s.Image, s.Digest = "", string(im.Digest)
		return s
	})
	if len(missing.Fields) > 0 {
		return r, missing
	}
	return r, nil
}

// keep notes that the bytes of overlays are used now.
func (o overlays) keep(ctx context.Context, r recipe.Recipe) error {
	for _, d := range r.Layers() {
		if err := o.blobs.Touch(ctx, job.Digest(d)); fault.Is(err, fault.NotFound) {
			return fault.Wrap(err, fault.NotFound, OverlayNotFound, "the bytes of the overlay %.12s are not there", d)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// fill does both for a job's recipe, and says what is wrong where the caller wrote it.
func (o overlays) fill(ctx context.Context, w Work, r recipe.Recipe) (recipe.Recipe, error) {
	own := len(r.Variants) - len(w.Variants)
	r, err := o.resolve(ctx, r)
	if err == nil {
		err = o.keep(ctx, r)
	}
	return r, w.asWritten(own, err)
}
