package pipeline

import (
	"slices"
	"strings"
	"testing"

	"calotype/services/image/internal/job"
)

// What is told of a format is what happens with it.
func TestAbilities(t *testing.T) {
	e := engine(t, func(l *Limits) { l.Frames = 77 })
	a := e.Abilities()
	if !strings.HasPrefix(a.Library, "libvips 8.") || a.Limits["frames"] != 77 || len(a.Limits) < 8 || a.Isolation != "none" {
		t.Errorf("%+v", a)
	}
	named := map[string]job.Format{}
	for i, f := range a.Formats {
		named[f.Name] = f
		if i > 0 && f.Name <= a.Formats[i-1].Name {
			t.Errorf("%s comes after %s", f.Name, a.Formats[i-1].Name)
		}
		if (f.Read && f.Written) == (f.Reason != "") || f.ContentType == "" {
			t.Errorf("%+v", f)
		}
	}
	if f := named["gif"]; !f.Read || !f.Written || !f.Animated {
		t.Errorf("%+v", f)
	}
	if f := named["heic"]; !f.Read || f.Written || f.ContentType != "image/heic" {
		t.Errorf("%+v", f)
	}
	if f := named["json"]; f.Read || !f.Written || f.ContentType != "application/json" {
		t.Errorf("%+v", f)
	}
	if len(a.Fonts) == 0 || !slices.IsSorted(a.Fonts) || slices.Contains(a.Fonts, "") {
		t.Errorf("fonts %q", a.Fonts)
	}
}
