package imgproxy

import (
	"fmt"
	"math"
	"strings"

	"calotype/gateway/internal/compat"
)

// watermark is what is put upon the picture, last of all.
type watermark struct {
	share         int // per cent; 0 is none
	kind          string
	x, y          float64 // pixels, or parts of the picture
	scale         float64 // to a part of the picture
	image, text   string
	width, height int
	angle         int
}

const replicated = "re"

// marking are the options of the watermark.
var marking = map[string]reading{
	"watermark": func(p *parser, a *args) error {
		m := &p.now().watermark
		m.share = share(a.number(0, 0, 0, 1) * p.reader.opacity())
		switch m.kind = a.at(1); {
		case m.kind == "ch":
			return compat.Refuse("imgproxy's watermark in a chessboard's order")
		case m.kind != "" && m.kind != replicated && compass[m.kind] == "":
			a.wrong(1, "no position")
		}
		m.x, m.y = a.number(2, 0, -maxSide, maxSide), a.number(3, 0, -maxSide, maxSide)
		m.scale = a.number(4, 0, 0, 1000)
		if m.image == "" {
			m.image = p.reader.Watermark
		}
		return nil
	},
	"watermark_url": func(p *parser, a *args) (err error) {
		if source := a.text(0); source != "" && a.err == nil {
			p.now().watermark.image, err = p.reader.Find(source)
		}
		return err
	},
	"watermark_text": func(p *parser, a *args) error {
		p.now().watermark.text = a.text(0)
		if strings.ContainsAny(p.now().watermark.text, "<&") {
			return compat.Refuse("markup in imgproxy's watermark_text")
		}
		return nil
	},
	"watermark_size": func(p *parser, a *args) error {
		p.now().watermark.width, p.now().watermark.height = a.integer(0, 0, 0, maxSide), a.integer(1, 0, 0, maxSide)
		return nil
	},
	"watermark_rotate": func(p *parser, a *args) error {
		p.now().watermark.angle = a.integer(0, 0, -3600, 3600)
		return nil
	},
}

func (r Reader) opacity() float64 {
	if r.Opacity == 0 {
		return 1
	}
	return r.Opacity
}

// add adds the step, on a picture of a density.
func (m watermark) add(s *compat.Steps, density float64) error {
	if m.share == 0 {
		return nil
	}
	var options []string
	switch {
	case m.text != "" && (m.scale > 0 || m.width > 0 || m.height > 0):
		return compat.Refuse("imgproxy's watermark_text with a size of its own")
	case m.text != "":
		options = append(options, compat.Text("sans", 16, "", m.text))
	case m.image == "":
		return compat.Refuse("imgproxy's watermark without compat.imgproxy.watermark, watermark_url or watermark_text")
	default:
		options = append(options, "l_"+m.image)
	}
	switch {
	case m.scale > 1:
		return compat.Refuse("imgproxy's watermark with a scale above 1")
	case m.scale > 0:
		options = append(options, "w_"+compat.Part(m.scale), "h_"+compat.Part(m.scale))
	default:
		if m.width > 0 {
			options = append(options, compat.Named("w", m.width))
		}
		if m.height > 0 {
			options = append(options, compat.Named("h", m.height))
		}
	}
	at := gravity{kind: m.kind, x: m.x, y: m.y}
	if m.kind == replicated {
		at.kind = ""
	}
	wide, high := 0.0, 0.0
	if relative(m.x) || relative(m.y) {
		var err error
		if wide, high, err = s.Measured(); err != nil {
			return err
		}
	}
	options = append(options, at.shifted(wide, high, density)...)
	if angle := (m.angle%360 + 360) % 360; angle > 180 {
		options = append(options, compat.Named("a", angle-360))
	} else if angle > 0 {
		options = append(options, compat.Named("a", angle))
	}
	if m.share < 100 {
		options = append(options, compat.Named("o", m.share))
	}
	if m.kind == replicated {
		options = append(options, "fl_tiled")
	}
	s.Add(options...)
	return nil
}

func relative(offset float64) bool { return offset != 0 && math.Abs(offset) < 1 }

// gradient reads "opacity:color:direction:start:stop"; it goes from nothing to the colour.
func gradient(p *parser, a *args) error {
	alpha, ink := a.number(0, 0, 0, 1), a.color(1, "000000")
	p.now().effects.gradient = ""
	if alpha == 0 || a.err != nil {
		return nil
	}
	if len(ink) == 3 {
		ink = fmt.Sprintf("%c%c%c%c%c%c", ink[0], ink[0], ink[1], ink[1], ink[2], ink[2])
	}
	angle, named := map[string]int{"": 180, "down": 180, "up": 0, "right": 90, "left": 270}[a.at(2)]
	if !named { // clockwise from "down"
		n := a.integer(2, 0, -3600, 3600)
		if n%90 != 0 {
			return compat.Refuse("imgproxy's gradient at %d degrees", n)
		}
		angle = (n%360 + 360 + 180) % 360
	}
	start, stop := a.number(3, 0, 0, 1), a.number(4, 1, 0, 1)
	if start >= stop {
		return compat.Refuse("imgproxy's gradient that does not end behind its start")
	}
	p.now().effects.gradient = fmt.Sprintf("e_gradient:%d:transparent:%s%02x:%s:%s", angle, ink, int(math.Round(255*alpha)),
		compat.Decimal(start), compat.Decimal(stop))
	return nil
}
