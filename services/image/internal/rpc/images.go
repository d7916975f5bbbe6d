// Package rpc stands between image.v1's wire and the use cases: it translates both ways and decides nothing. Errors pass as they are.
package rpc

import (
	"context"

	"calotype/kit/fault"
	imagev1 "calotype/proto/image/v1"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/manager"
	"calotype/services/image/internal/recipe"
)

// Images answers for image.v1's Images.
type Images struct{ uses *manager.Images }

var _ imagev1.ImagesHandler = (*Images)(nil)

// NewImages makes a handler over the use cases.
func NewImages(uses *manager.Images) *Images { return &Images{uses} }

// Create implements imagev1.ImagesHandler.
func (h *Images) Create(ctx context.Context, in *imagev1.CreateImageRequest, out *imagev1.CreateImageResponse) error {
	work, err := workFromProto(in.GetPreset(), in.GetRecipe(), in.GetVariants())
	if err != nil {
		return err
	}
	wishes, err := wishesFromProto(in.GetOptions())
	if err != nil {
		return err
	}
	keep, said := ttlFromProto(in.GetTtl())
	if said != "" {
		return badOptions(fault.Field{Path: "ttl", Message: said})
	}
	a, err := h.uses.Create(ctx, manager.CreateImage{
		Digest: job.Digest(in.GetDigest()), Filename: in.GetFilename(), Key: in.GetIdempotencyKey(), Work: work, Wishes: wishes, Keep: keep,
	})
	if err != nil {
		return err
	}
	out.Image = new(imagev1.Image)
	fillImage(out.Image, a.Image)
	if a.Job != nil {
		out.Job = new(imagev1.Job)
		fillJob(out.Job, *a.Job)
	}
	return nil
}

// Get implements imagev1.ImagesHandler.
func (h *Images) Get(ctx context.Context, in *imagev1.GetImageRequest, out *imagev1.Image) error {
	im, err := h.uses.Get(ctx, job.ImageID(in.GetId()))
	if err != nil {
		return err
	}
	fillImage(out, im)
	return nil
}

// List implements imagev1.ImagesHandler.
func (h *Images) List(ctx context.Context, in *imagev1.ListImagesRequest, out *imagev1.ListImagesResponse) error {
	found, next, err := h.uses.List(ctx, int(in.GetPageSize()), in.GetPageToken())
	if err != nil {
		return err
	}
	for _, im := range found {
		one := new(imagev1.Image)
		fillImage(one, im)
		out.Images = append(out.Images, one)
	}
	out.NextPageToken = next
	return nil
}

// Delete implements imagev1.ImagesHandler.
func (h *Images) Delete(ctx context.Context, in *imagev1.DeleteImageRequest, _ *imagev1.DeleteImageResponse) error {
	return h.uses.Delete(ctx, job.ImageID(in.GetId()))
}

// GetVariant implements imagev1.ImagesHandler.
func (h *Images) GetVariant(ctx context.Context, in *imagev1.GetVariantRequest, out *imagev1.Result) error {
	r, err := h.uses.Variant(ctx, job.ImageID(in.GetImageId()), in.GetName())
	if err != nil {
		return err
	}
	fillResult(out, r)
	return nil
}

// Plan implements imagev1.ImagesHandler.
func (h *Images) Plan(ctx context.Context, in *imagev1.PlanRequest, out *imagev1.PlanResponse) error {
	hints := in.GetHints()
	p, err := h.uses.Plan(ctx, manager.Address{
		Image: job.ImageID(in.GetImageId()), Options: in.GetOptions(), Extension: in.GetExtension(), Accept: in.GetAccept(),
		Hints: recipe.Hints{DPR: hints.GetDpr(), Width: int(hints.GetWidth()), Viewport: int(hints.GetViewportWidth())},
	})
	if err != nil {
		return err
	}
	out.Image = new(imagev1.Image)
	fillImage(out.Image, p.Image)
	out.Variant, out.Key, out.VaryAccept = VariantToProto(p.Variant), p.Key, p.Vary
	out.VaryHints, out.VaryWidth = p.Told.DPR || p.Told.Width, p.Told.Width
	return nil
}

// ListPresets implements imagev1.ImagesHandler.
func (h *Images) ListPresets(_ context.Context, _ *imagev1.ListPresetsRequest, out *imagev1.ListPresetsResponse) error {
	for _, p := range h.uses.Presets() {
		out.Presets = append(out.Presets, &imagev1.Preset{Name: p.Name, Description: p.Description, Recipe: RecipeToProto(p.Recipe)})
	}
	return nil
}

// workFromProto reads what is to be made. A recipe that is given but empty is a fault, not the absence of one.
func workFromProto(preset string, r *imagev1.Recipe, variants []string) (manager.Work, error) {
	w := manager.Work{Preset: preset, Variants: variants}
	if r == nil {
		return w, nil
	}
	read, err := RecipeFromProto("recipe", r)
	w.Recipe = &read
	return w, err
}
