package rpc

import (
	"calotype/kit/fault"
	imagev1 "calotype/proto/image/v1"
	"calotype/services/image/internal/recipe"
)

func overlayFromProto(p *imagev1.Overlay) recipe.Overlay {
	return recipe.Overlay{
		Image: p.GetImageId(), Digest: p.GetDigest(), Text: textFromProto(p.GetText()),
		Width: p.GetWidth(), Height: p.GetHeight(), Relative: p.GetRelative(),
		Gravity: recipe.Gravity(p.GetGravity()), X: int(p.GetX()), Y: int(p.GetY()),
		Opacity: int(p.GetOpacity()), Tiled: p.GetTiled(), Mask: p.GetMask(), Angle: p.GetAngle(),
	}
}

func textFromProto(p *imagev1.Text) recipe.Text {
	return recipe.Text{
		Text: p.GetText(), Font: p.GetFont(), Size: int(p.GetSize()), Bold: p.GetBold(), Italic: p.GetItalic(),
		Color: recipe.Color(p.GetColor()), Background: recipe.Color(p.GetBackground()), Width: int(p.GetWidth()), Align: recipe.Align(p.GetAlign()),
	}
}

func overlayToProto(s recipe.Overlay) *imagev1.Overlay {
	p := &imagev1.Overlay{
		ImageId: s.Image, Digest: s.Digest, Width: s.Width, Height: s.Height, Relative: s.Relative,
		Gravity: string(s.Gravity), X: int32(s.X), Y: int32(s.Y),
		Opacity: int32(s.Opacity), Tiled: s.Tiled, Mask: s.Mask, Angle: s.Angle,
	}
	if t := s.Text; t != (recipe.Text{}) {
		p.Text = &imagev1.Text{
			Text: t.Text, Font: t.Font, Size: int32(t.Size), Bold: t.Bold, Italic: t.Italic,
			Color: string(t.Color), Background: string(t.Background), Width: int32(t.Width), Align: string(t.Align),
		}
	}
	return p
}

// digestsRefused finds overlays that name bytes by their digest, as only the service does: a caller who could would see those of others.
func digestsRefused(path string, r recipe.Recipe) error {
	var fields []fault.Field
	r.Overlaid(func(at string, s recipe.Overlay) recipe.Overlay {
		if s.Digest != "" {
			fields = append(fields, fault.Field{Path: path + "." + at + ".digest", Message: "it is set by the service; name the image by its image_id"})
		}
		return s
	})
	if len(fields) == 0 {
		return nil
	}
	return &fault.Error{Kind: fault.Invalid, Reason: "BAD_RECIPE", Message: "the recipe is wrong", Fields: fields}
}
