package worker

import (
	"context"
	"fmt"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
)

// The reasons for which a recipe's overlays are not there.
const (
	OverlayGone     = "OVERLAY_GONE"
	OverlaysTooMany = "OVERLAYS_TOO_LARGE"
)

// layers fetches the originals that a recipe's overlays name, each once. Together they may have as many bytes as an original. A blob
// that is not there is told apart from an original that is not: the overlay's image was deleted since the work was accepted, and nothing
// kept its bytes.
func (p Parts) layers(ctx context.Context, r recipe.Recipe) (map[job.Digest][]byte, error) {
	if err := resolved(r); err != nil {
		return nil, err
	}
	var found map[job.Digest][]byte
	room := p.Limit()
	for _, name := range r.Layers() {
		d := job.Digest(name)
		data, err := p.Originals.Open(ctx, d, room)
		switch {
		case fault.Is(err, fault.NotFound):
			return nil, fault.Wrap(err, fault.NotFound, OverlayGone, "the overlay %.12s is no longer there: its image was deleted", d)
		case fault.ReasonOf(err) == tooLarge:
			return nil, fault.Wrap(err, fault.Invalid, OverlaysTooMany, "the overlays have more than %d bytes together", p.Limit())
		case err != nil:
			return nil, err
		}
		p.Metrics.read(len(data))
		room -= int64(len(data))
		if found == nil {
			found = map[job.Digest][]byte{}
		}
		found[d] = data
	}
	return found, nil
}

// tooLarge is the reason of Originals for more bytes than asked for.
const tooLarge = "IMAGE_TOO_LARGE"

// resolved refuses overlays that still have the identifier of an image: which bytes it stands for is the managers' to say.
func resolved(r recipe.Recipe) error {
	var fields []fault.Field
	r.Overlaid(func(path string, s recipe.Overlay) recipe.Overlay {
		if s.Image != "" {
			fields = append(fields, fault.Field{Path: path + ".image_id", Message: fmt.Sprintf("no node knows the image %s; name its digest", s.Image)})
		}
		return s
	})
	if len(fields) == 0 {
		return nil
	}
	return &fault.Error{Kind: fault.Invalid, Reason: "BAD_RECIPE", Message: "the recipe is wrong", Fields: fields}
}
