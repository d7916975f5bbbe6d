package rpc

import (
	imagev1 "calotype/proto/image/v1"
	"calotype/services/image/internal/recipe"
)

func boxesFromProto(ps []*imagev1.Box) (boxes []recipe.Box) {
	for _, p := range ps {
		boxes = append(boxes, recipe.Box{X: p.GetX(), Y: p.GetY(), Width: p.GetWidth(), Height: p.GetHeight(), Pixels: p.GetPixels(), Weight: p.GetWeight()})
	}
	return boxes
}

func boxesToProto(boxes []recipe.Box) (ps []*imagev1.Box) {
	for _, b := range boxes {
		ps = append(ps, &imagev1.Box{X: b.X, Y: b.Y, Width: b.Width, Height: b.Height, Pixels: b.Pixels, Weight: b.Weight})
	}
	return ps
}

func regionFromProto(p *imagev1.Region) recipe.Region {
	return recipe.Region{X: int(p.GetX()), Y: int(p.GetY()), Width: int(p.GetWidth()), Height: int(p.GetHeight())}
}

func regionToProto(r recipe.Region) *imagev1.Region {
	if r == (recipe.Region{}) {
		return nil
	}
	return &imagev1.Region{X: int32(r.X), Y: int32(r.Y), Width: int32(r.Width), Height: int32(r.Height)}
}

func gradientFromProto(p *imagev1.Gradient) recipe.Gradient {
	return recipe.Gradient{Angle: int(p.GetAngle()), From: recipe.Color(p.GetFrom()), To: recipe.Color(p.GetTo()), Start: p.GetStart(), Stop: p.GetStop()}
}

func gradientToProto(s recipe.Gradient) *imagev1.Gradient {
	return &imagev1.Gradient{Angle: int32(s.Angle), From: string(s.From), To: string(s.To), Start: s.Start, Stop: s.Stop}
}
