package imgproxy

import (
	"fmt"
	"math"
	"strings"

	"calotype/gateway/internal/compat"
)

// effects change pixels where they are.
type effects struct {
	brightness           float64 // -255..255
	contrast, saturation float64 // what is added to 1
	duotone, tint        int     // per cent
	dark, light, ink     string
	blur, sharpen        float64
	pixelate             int
	gradient             string
}

// output is how the result is encoded and answered.
type output struct {
	format                string
	quality               int
	qualities             map[string]int
	keepMetadata, profile bool
	keepProfile           bool
	maxBytes, page        int
	still                 bool
	expires               int64
	filename              string
	attachment, raw       bool
	keepCopyright         bool
	encoders              map[string][]string // flags that a format's own options ask for
}

func share(f float64) int { return int(math.Round(100 * f)) }

func background(p *parser, a *args) error {
	switch {
	case len(a.values) >= 3:
		p.now().background = fmt.Sprintf("%02x%02x%02x", a.integer(0, 0, 0, 255), a.integer(1, 0, 0, 255), a.integer(2, 0, 0, 255))
	default:
		p.now().background = a.color(0, "")
	}
	return nil
}

func formatQuality(p *parser, a *args) error {
	p.out.qualities = map[string]int{}
	for i := 0; i+1 < len(a.values); i += 2 {
		p.out.qualities[spelled(a.at(i))] = a.integer(i+1, 0, 0, 100)
	}
	return nil
}

// spelled gives the one name of a format.
func spelled(format string) string {
	if format == "jpg" {
		return "jpeg"
	}
	return format
}

// add adds a step for each effect, in imgproxy's order.
func (e effects) add(s *compat.Steps) error {
	if e.blur > 0 {
		s.Add("e_blur:" + compat.Decimal(e.blur))
	}
	if e.sharpen > 0 {
		s.Add("e_sharpen:" + compat.Decimal(e.sharpen))
	}
	if e.pixelate > 1 {
		s.Add(fmt.Sprintf("e_pixelate:%d", e.pixelate))
	}
	if e.brightness != 0 {
		s.Add("e_brightness:" + compat.Decimal(e.brightness/2.55))
	}
	if e.contrast != 0 { // a factor f around the middle is 259(n+255) / 255(259-n) for n of 255
		f := e.contrast + 1
		n := 255 * 259 * (f - 1) / (259 + 255*f)
		s.Add("e_contrast:" + compat.Decimal(n/2.55))
	}
	if e.saturation != 0 {
		if e.saturation > 1 {
			return compat.Refuse("imgproxy's saturation above 2")
		}
		s.Add("e_saturation:" + compat.Decimal(100*e.saturation))
	}
	if e.duotone > 0 {
		s.Add(fmt.Sprintf("e_duotone:%s:%s:%d", e.dark, e.light, e.duotone))
	}
	if e.tint > 0 {
		s.Add(fmt.Sprintf("e_tint:%d:%s", e.tint, e.ink))
	}
	if e.gradient != "" {
		s.Add(e.gradient)
	}
	return nil
}

// translate says everything in Calotype's options, for an image of a size.
func (p *parser) translate(size compat.Size) (string, error) {
	s := &compat.Steps{Size: size}
	ground := ""
	for i := range p.pipelines {
		if err := p.pipelines[i].translate(s); err != nil {
			return "", err
		}
		if b := p.pipelines[i].background; b != "" {
			ground = b
		}
	}
	if ground != "" {
		s.Output("b_" + ground)
	}
	if err := p.out.add(s); err != nil {
		return "", err
	}
	return s.String(), nil
}

func (o output) add(s *compat.Steps) error {
	quality := o.quality
	if quality == 0 && len(o.qualities) > 0 {
		if o.format == "" || o.format == "auto" {
			return compat.Refuse("imgproxy's format_quality without a format")
		}
		quality = o.qualities[spelled(o.format)]
	}
	s.Encode(o.format, quality, o.maxBytes)
	var flags []string
	if o.keepMetadata {
		flags = append(flags, "keep_metadata")
		if o.profile && !o.keepProfile {
			flags = append(flags, "strip_profile")
		}
	} else if o.keepCopyright {
		return compat.Refuse("imgproxy's keep_copyright:1 without strip_metadata:0")
	} else if o.keepProfile {
		return compat.Refuse("imgproxy's strip_color_profile:0 without strip_metadata:0")
	}
	if len(o.encoders) > 0 && (o.format == "" || o.format == "auto") {
		return compat.Refuse("imgproxy's options of an encoder without a format")
	}
	flags = append(flags, o.encoders[spelled(o.format)]...)
	if len(flags) > 0 {
		s.Output("fl_" + strings.Join(flags, "."))
	}
	if o.still || o.page > 1 {
		s.Output(compat.Named("pg", max(o.page, 1)))
	}
	return nil
}
