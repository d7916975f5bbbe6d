package rpc

import (
	"testing"

	imagev1 "calotype/proto/image/v1"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
)

type able struct{ Bench }

func (able) Abilities() job.Abilities {
	return job.Abilities{Library: "libvips 8.1", Fonts: []string{"Sans"}, Limits: map[string]int64{"frames": 3}, Isolation: "none",
		Formats: []job.Format{{Name: "gif", ContentType: "image/gif", Read: true, Animated: true, Reason: "not written"}}}
}

func TestCapabilitiesCrossTheWire(t *testing.T) {
	var rsp imagev1.CapabilitiesResponse
	if err := NewTransformer(able{}).Capabilities(t.Context(), nil, &rsp); err != nil {
		t.Fatal(err)
	}
	if rsp.EngineVersion != recipe.EngineVersion || rsp.Library != "libvips 8.1" || rsp.Fonts[0] != "Sans" || rsp.Limits["frames"] != 3 || rsp.Isolation != "none" {
		t.Errorf("%v", &rsp)
	}
	if f := rsp.Formats[0]; f.Name != "gif" || f.ContentType != "image/gif" || !f.Read || f.Written || !f.Animated || f.Reason != "not written" {
		t.Errorf("%v", f)
	}
	if len(rsp.Options) != len(recipe.Vocabulary()) || len(rsp.Options[0].Words) == 0 {
		t.Errorf("%v", rsp.Options)
	}
}
