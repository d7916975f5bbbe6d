package recipe

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// Canonical writes a valid variant's options in the one form that all equal variants share. It is the URL grammar with a step for
// each operation and a last one for the output, keys sorted, c_ always there, and everything else that is a default left
// out. ParseCanonical reads it back to an equal variant, but for the name, which is no part of it.
func Canonical(v Variant) string {
	v = v.normal()
	var parts []string
	set := -1
	if len(v.Widths) > 0 {
		set = first(v.Steps)
	}
	for i, s := range v.Steps {
		if i == set {
			parts = append(parts, canonicalResize(s.(Resize), v.Widths))
		} else {
			parts = append(parts, canonicalStep(s))
		}
	}
	if out := canonicalOutput(v.Output); out != "" {
		parts = append(parts, out)
	}
	return strings.Join(parts, "/")
}

func canonicalStep(s Step) string {
	var o options
	switch s := s.(type) {
	case Resize:
		return canonicalResize(s, nil)
	case Crop:
		o.text("c", "crop")
		o.number("w", s.Width)
		o.number("h", s.Height)
		if s.Gravity == XY {
			o.text("x", strconv.Itoa(s.X))
			o.text("y", strconv.Itoa(s.Y))
		} else {
			o.gravity(s.Gravity, s.Focus, s.Boxes)
		}
	case Rotate:
		o.number("a", s.Angle)
	case Flip:
		o.words("a", map[string]bool{"hflip": s.Horizontal, "vflip": s.Vertical})
	case Blur:
		o.blur(s)
	case Sharpen:
		o.text("e", "sharpen:"+decimal(s.Sigma))
	case Adjust:
		o.text("e", s.canonical())
	case Pixelate:
		o.pixelate(s)
	case Frame:
		o.frame(s)
	case Trim:
		o.trim(s)
	case Gradient:
		o.gradient(s)
	case Convolve:
		o.convolve(s)
	case Overlay:
		o.overlay(s)
	}
	return o.String()
}

func canonicalResize(s Resize, widths []int) string {
	var o options
	o.text("c", string(s.Mode))
	if len(widths) > 0 {
		o.set(s.Width, widths)
	} else {
		o.number("w", s.Width)
	}
	o.number("h", s.Height)
	o.gravity(s.Gravity, s.Focus, s.Boxes)
	if s.Gravity != XYCenter {
		o.number("x", s.X)
		o.number("y", s.Y)
	}
	o.text("b", string(s.Background))
	return o.String()
}

func canonicalOutput(out Output) string {
	var o options
	o.text("b", string(out.Background))
	o.text("cs", string(out.Space))
	o.text("f", string(out.Format))
	o.quality(out)
	o.bytes(out.MaxBytes)
	o.words("fl", out.flags())
	o.number("pg", out.Page)
	return o.String()
}

// flags are the output's choices that are words.
func (o Output) flags() map[string]bool {
	return map[string]bool{
		"keep_metadata": o.KeepMetadata, "strip_profile": o.StripProfile, "lossless": o.Lossless, "progressive": o.Progressive, "png8": o.Palette,
		"best": o.Scaling == Best, "chroma_420": o.Chroma == Chroma420, "chroma_444": o.Chroma == Chroma444,
	}
}

// Key is the identity of a result: equal keys are the same picture. It is the sha256, in hexadecimal, of the original's digest, the
// canonical variant and the engine's version, a line each. The variant should be resolved, so that defaults are in it.
func Key(original string, v Variant, engine string) string {
	sum := sha256.Sum256([]byte(original + "\n" + Canonical(v) + "\n" + engine + "\n"))
	return hex.EncodeToString(sum[:])
}

// variantJSON is how a variant is kept and queued.
type variantJSON struct {
	Name    string `json:"name"`
	Options string `json:"options"`
}

// MarshalJSON writes {"name", "options"}, with the options in canonical form.
func (v Variant) MarshalJSON() ([]byte, error) {
	return json.Marshal(variantJSON{v.Name, Canonical(v)})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (v *Variant) UnmarshalJSON(b []byte) error {
	var j variantJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	parsed, err := ParseCanonical(j.Options)
	if err != nil {
		return err
	}
	*v = parsed
	v.Name = j.Name
	return nil
}

// options collects the options of one step; what is empty or zero is left out.
type options []string

func (o *options) text(key, value string) {
	if value != "" {
		*o = append(*o, key+"_"+value)
	}
}

func (o *options) number(key string, n int) {
	if n != 0 {
		o.text(key, strconv.Itoa(n))
	}
}

func (o *options) words(key string, set map[string]bool) {
	var words []string
	for w, in := range set {
		if in {
			words = append(words, w)
		}
	}
	slices.Sort(words)
	o.text(key, strings.Join(words, "."))
}

func (o options) String() string {
	slices.Sort(o)
	return strings.Join(o, ",")
}

func decimal(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
