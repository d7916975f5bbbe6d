package recipe

import (
	"fmt"
	"regexp"
	"strings"

	"calotype/kit/fault"
)

// Limits of overlays.
const (
	MaxOverlays = 8 // images that overlays of one recipe name
	MaxTurn     = 180.0
)

// Overlay puts another image, or a text, upon the picture. One of Image, Digest and Text is there.
type Overlay struct {
	Image  string // its identifier, until a manager has put the Digest in its place
	Digest string // the sha256 of the bytes that are meant, in hexadecimal
	Text   Text

	// Width and Height are what an image stays within: pixels, or parts of the picture's when Relative. A side of 0 follows from the
	// other; an image without both has its own size.
	Width, Height float64
	Relative      bool

	Gravity Gravity
	X, Y    int     // from the edges of Gravity inwards; from the middle to the right and down; between the copies of what is Tiled
	Opacity int     // per cent
	Tiled   bool    // repeated over the whole picture
	Mask    bool    // the picture is cut to its shape
	Angle   float64 // degrees clockwise
}

func (Overlay) step() {}

// imageID is what an identifier may be; whether there is such an image is for others to say.
var (
	imageID = regexp.MustCompile(`^img_[0-9A-Za-z]{1,60}$`)
	sha256s = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

func (s Overlay) normal() Overlay {
	if s.Gravity == "" {
		s.Gravity = Center
	}
	if s.Opacity == 0 {
		s.Opacity = 100
	}
	if s.Angle = micro(s.Angle); s.Angle == -MaxTurn {
		s.Angle = MaxTurn
	}
	s.Width, s.Height = micro(s.Width), micro(s.Height)
	if s.Width == 0 && s.Height == 0 {
		s.Relative = false
	}
	if s.Text != (Text{}) {
		s.Text = s.Text.normal()
	}
	return s
}

func checkOverlay(s Overlay) []fault.Field {
	c := checker{of: "overlay"}
	s = s.normal()
	written := s.Text != (Text{})
	switch {
	case s.Digest != "" && (s.Image != "" || written), s.Image != "" && written, s.Image == "" && s.Digest == "" && !written:
		c.fault("image_id", "exactly one of an image and a text is needed")
	case s.Image != "" && !imageID.MatchString(s.Image):
		c.fault("image_id", "%.80q is no image's identifier, as img_01J... is", s.Image)
	case s.Digest != "" && !sha256s.MatchString(s.Digest):
		c.fault("digest", "%.80q is not a sha256 in 64 lower-case hexadecimal digits", s.Digest)
	case written:
		c.written(s.Text)
	}
	c.extents(s, written)
	if !member(string(s.Gravity), compass) {
		c.fault("gravity", "%s", wrongWord("gravity of an overlay", string(s.Gravity), compass))
	}
	least := -MaxOffset
	if s.Tiled {
		least = 0
	}
	c.within("x", s.X, least, MaxOffset)
	c.within("y", s.Y, least, MaxOffset)
	c.within("opacity", s.Opacity, 1, 100)
	if s.Mask && s.Opacity != 100 {
		c.fault("opacity", "a mask has none: it cuts by what is transparent in it")
	}
	if !(s.Angle >= -MaxTurn && s.Angle <= MaxTurn) { // so that NaN is wrong too
		c.fault("angle", "%g is not within %g..%g", s.Angle, -MaxTurn, MaxTurn)
	}
	return c.fields
}

func (c *checker) extents(s Overlay, written bool) {
	for i, v := range []float64{s.Width, s.Height} {
		name := []string{"width", "height"}[i]
		switch {
		case v == 0:
		case written:
			c.fault(name, "a text is as large as its letters; its lines are wrapped at a width of its own")
		case s.Relative && !(v > 0 && v <= 1):
			c.fault(name, "%g is not a part above 0 and up to 1", v)
		case !s.Relative && !(v >= 1 && v <= MaxSide && v == float64(int(v))):
			c.fault(name, "%g is not a whole number within 1..%d", v, MaxSide)
		}
	}
}

// Overlaid calls f with every overlay of a recipe, where it stands, and puts what f gives in its place. It returns a recipe that shares
// no steps with r; paths are as in Check.
func (r Recipe) Overlaid(f func(path string, s Overlay) Overlay) Recipe {
	out := Recipe{Variants: make([]Variant, len(r.Variants))}
	for i, v := range r.Variants {
		out.Variants[i] = v.Overlaid(func(path string, s Overlay) Overlay { return f(fmt.Sprintf("variants[%d].%s", i, path), s) })
	}
	return out
}

// Overlaid does for one variant what Recipe.Overlaid does for all.
func (v Variant) Overlaid(f func(path string, s Overlay) Overlay) Variant {
	v.Steps = append([]Step(nil), v.Steps...)
	for i, s := range v.Steps {
		if o, is := s.(Overlay); is {
			v.Steps[i] = f(fmt.Sprintf("operations[%d].overlay", i), o)
		}
	}
	return v
}

// Layers are the digests that overlays name, each once, in their order.
func (r Recipe) Layers() (digests []string) {
	for _, v := range r.Variants {
		for _, s := range v.Steps {
			if o, is := s.(Overlay); is && o.Digest != "" && !member(o.Digest, digests) {
				digests = append(digests, o.Digest)
			}
		}
	}
	return digests
}

// checkOverlays finds more images than a node fetches for one recipe.
func (r Recipe) checkOverlays() []fault.Field {
	seen := map[string]bool{}
	var fields []fault.Field
	r.Overlaid(func(path string, s Overlay) Overlay {
		name := s.Image + s.Digest
		if name != "" && !seen[name] && len(seen) == MaxOverlays {
			fields = append(fields, fault.Field{Path: path + ".image_id", Message: fmt.Sprintf("overlays name more than %d images", MaxOverlays)})
		} else if name != "" {
			seen[name] = true
		}
		return s
	})
	return fields[:min(len(fields), 1)]
}

func (o *options) overlay(s Overlay) {
	switch {
	case s.Digest != "":
		o.text("l", digested+s.Digest)
	case s.Image != "":
		o.text("l", s.Image)
	default:
		o.written(s.Text)
	}
	for i, v := range []float64{s.Width, s.Height} {
		text := decimal(v)
		if v == 0 {
			text = ""
		} else if s.Relative && !strings.Contains(text, ".") {
			text += ".0"
		}
		o.text([]string{"w", "h"}[i], text)
	}
	o.gravity(s.Gravity, Point{}, nil)
	o.number("x", s.X)
	o.number("y", s.Y)
	if s.Opacity != 100 {
		o.number("o", s.Opacity)
	}
	if s.Angle != 0 {
		o.text("a", decimal(s.Angle))
	}
	o.words("fl", map[string]bool{"tiled": s.Tiled, "cutter": s.Mask})
}
