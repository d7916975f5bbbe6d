package thumbor

import (
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"calotype/gateway/internal/compat"
)

// side is a place along one side of a picture, from its beginning or, where end is true, from its end.
type side struct {
	offset              float64
	relative            bool // offset is a part of the side
	end, centred, tiled bool
}

var anchored = regexp.MustCompile(`^([a-z]+)(?:-([0-9]{1,5}))?$`)

// side reads "10", "-10", "20p", "0.5", "center", "repeat", and imagor's "left", "r-10" and so on.
func (f filter) side(i int, first, last string) (p side, err error) {
	text := f.at(i)
	wrong := compat.Wrong("%s: %.40q is no position", f.name, text)
	if m := anchored.FindStringSubmatch(text); m != nil {
		p.offset, _ = strconv.ParseFloat("0"+m[2], 64)
		switch m[1] {
		case "center":
			p.centred = true
		case "repeat":
			p.tiled = true
		case first, first[:1]:
		case last, last[:1]:
			p.end = true
		default:
			return p, wrong
		}
		if (p.centred || p.tiled) && m[2] != "" {
			return p, wrong
		}
		return p, nil
	}
	digits, percent := strings.CutSuffix(text, "p")
	n, err := strconv.ParseFloat(digits, 64)
	if text == "" {
		n, err = 0, nil
	}
	if err != nil || math.IsNaN(n) || math.Abs(n) > 16384 {
		return p, wrong
	}
	p.end, p.offset = strings.HasPrefix(text, "-"), math.Abs(n)
	if p.relative = percent || strings.Contains(text, ".") && p.offset < 1; percent {
		p.offset /= 100
	}
	return p, nil
}

// placed says where something stands, in options.
func placed(s *compat.Steps, x, y side) ([]string, error) {
	name := func(p side, first, last string) string {
		switch {
		case p.centred:
			return ""
		case p.end:
			return last
		}
		return first
	}
	var options []string
	if g := strings.Trim(name(y, "north", "south")+"_"+name(x, "west", "east"), "_"); g != "" {
		options = append(options, "g_"+g)
	}
	offset := [2]float64{x.offset, y.offset}
	if x.relative || y.relative {
		wide, high, err := s.Measured()
		if err != nil {
			return nil, err
		}
		if x.relative {
			offset[0] *= wide
		}
		if y.relative {
			offset[1] *= high
		}
	}
	for i, key := range []string{"x", "y"} {
		if n := int(math.Round(offset[i])); n != 0 {
			options = append(options, compat.Named(key, n))
		}
	}
	return options, nil
}

// lay notes something that stands upon the picture.
func (q *request) lay(f filter, what []string, alpha int) error {
	x, err := f.side(1, "left", "right")
	if err != nil {
		return err
	}
	y, err := f.side(2, "top", "bottom")
	if err != nil {
		return err
	}
	shown := 100
	if f.at(alpha) != "" {
		n, err := f.number(alpha, 0, 100)
		if err != nil {
			return err
		}
		if shown = 100 - int(math.Round(n)); shown == 0 {
			return nil
		}
	}
	if x.tiled != y.tiled {
		return compat.Refuse("%s() that repeats along one side", f.name)
	}
	q.effects = append(q.effects, func(s *compat.Steps) error {
		options := slices.Clone(what)
		if x.tiled {
			options = append(options, "fl_tiled")
		} else {
			place, err := placed(s, x, y)
			if err != nil {
				return err
			}
			options = append(options, place...)
		}
		if shown < 100 {
			options = append(options, compat.Named("o", shown))
		}
		s.Add(options...)
		return nil
	})
	return nil
}

// watermark reads watermark(image,x,y,alpha,w_ratio,h_ratio).
func (q *request) watermark(f filter) error {
	source, err := unescape(f.at(0))
	if err != nil {
		return err
	}
	image, err := q.reader.Find(source)
	if err != nil {
		return err
	}
	what := []string{"l_" + image}
	for i, key := range []string{"w_", "h_"} {
		if text := f.at(4 + i); text == "" || text == "none" {
			continue
		}
		n, err := f.number(4+i, 0, 100)
		if err != nil {
			return err
		}
		if n > 0 {
			what = append(what, key+compat.Part(n/100))
		}
	}
	return q.lay(f, what, 3)
}

var fonts = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9]*)((?:-(?:bold|italic))*)(?:-([0-9]{1,4}))$`)

// text reads imagor's text(text,x,y,font,color,alpha,blend_mode,width,align).
func (q *request) text(f filter) error {
	m := fonts.FindStringSubmatch(f.at(3))
	if m == nil {
		return compat.Refuse("text() without a font as sans-bold-24 is")
	}
	for i, name := range []string{"blend_mode", "", "", "justify", "wrap", "spacing", "dpi"} {
		if v := f.at(6 + i); name != "" && v != "" && v != "normal" && v != "false" && v != "word" && v != "0" && !(name == "dpi" && v == "72") {
			return compat.Refuse("text() with %s", name)
		}
	}
	align, ok := map[string]string{"": "", "low": "", "left": "", "centre": "_center", "center": "_center", "high": "_right", "right": "_right"}[f.at(8)]
	if !ok {
		return compat.Wrong("text(): %.40q is no alignment", f.at(8))
	}
	size, _ := strconv.Atoi(m[3])
	var wrap []string
	if f.at(7) != "" && f.at(7) != "0" {
		n, err := strconv.Atoi(f.at(7))
		if err != nil || n < 1 || n > 16384 {
			return compat.Refuse("text() with a width that is not in pixels")
		}
		wrap = []string{compat.Named("w", n)}
	}
	return q.write(f, m[1], size, strings.ReplaceAll(m[2], "-", "_")+align, 4, 5, wrap...)
}

// label reads label(text,x,y,size,color,alpha,font), as imagor had it before text().
func (q *request) label(f filter) error {
	size, err := f.number(3, 4, 1000)
	if err != nil {
		return err
	}
	font := f.at(6)
	if font == "" {
		font = "sans"
	}
	if !fonts.MatchString(font + "-9") {
		return compat.Refuse("label() with the font %.40q", font)
	}
	return q.write(f, font, int(size), "", 4, 5)
}

// write lays a text over the picture. Color and alpha say which arguments are these.
func (q *request) write(f filter, font string, size int, style string, color, alpha int, more ...string) error {
	text, err := unwritten(f.at(0))
	if err != nil {
		return err
	}
	if size < 4 || size > 1000 {
		return compat.Refuse("%s() in letters of %d pixels", f.name, size)
	}
	what := []string{compat.Text(font, size, style, text)}
	if f.at(color) != "" {
		ink, err := f.color(color)
		if err != nil {
			return err
		}
		what = append(what, "co_"+ink)
	}
	return q.lay(f, append(what, more...), alpha)
}

func unwritten(text string) (string, error) {
	if strings.HasPrefix(text, "b64:") {
		return unescape(text)
	}
	plain, err := url.QueryUnescape(text)
	if err != nil || plain == "" {
		return "", compat.Wrong("%.40q is no text", text)
	}
	return plain, nil
}

// crop reads imagor's crop(left,top,width,height), which comes after the size.
func (q *request) crop(f filter) error {
	var at [4]float64
	for i := range at {
		var err error
		if at[i], err = f.number(i, 0, 65535); err != nil {
			return err
		}
	}
	relative := max(at[0], at[1], at[2], at[3]) <= 1
	q.effects = append(q.effects, func(s *compat.Steps) error {
		at := at
		if relative {
			wide, high, err := s.Measured()
			if err != nil {
				return err
			}
			at[0], at[1], at[2], at[3] = at[0]*wide, at[1]*high, at[2]*wide, at[3]*high
		}
		s.Cut(int(math.Round(at[0])), int(math.Round(at[1])), compat.Whole(at[2]), compat.Whole(at[3]))
		return nil
	})
	return nil
}
