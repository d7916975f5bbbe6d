package thumbor

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"calotype/gateway/internal/compat"
)

// filter is one of a path's filters.
type filter struct {
	name string
	args []string
}

// filtered reads "filters:name(argument,argument):name():..."; an argument may hold slashes.
func (q *request) filtered(segments []string) ([]string, error) {
	end := 0
	for end < len(segments) && !strings.HasSuffix(segments[end], ")") && !strings.HasSuffix(strings.ToUpper(segments[end]), "%29") {
		end++
	}
	if end == len(segments) {
		return nil, compat.Wrong("the filters have no end: they are filters:name(argument):name()")
	}
	text, err := url.PathUnescape(strings.Join(segments[:end+1], "/"))
	if err != nil {
		return nil, compat.Wrong("the filters are not escaped as paths are: %v", err)
	}
	for rest := strings.TrimPrefix(text, "filters:"); rest != ""; {
		name, after, open := strings.Cut(rest, "(")
		args, more, closed := cutClosing(after)
		if !open || !closed || more != "" && more[0] != ':' {
			return nil, compat.Wrong("%.80q is no filter: they are filters:name(argument):name()", rest)
		}
		f := filter{name: name}
		if args != "" {
			f.args = strings.Split(args, ",")
		}
		for i := range f.args {
			f.args[i] = strings.TrimSpace(f.args[i])
		}
		if err := q.filter(f); err != nil {
			return nil, err
		}
		rest = strings.TrimPrefix(more, ":")
	}
	return segments[end+1:], nil
}

// cutClosing cuts behind the bracket that belongs to one that was opened.
func cutClosing(text string) (inside, after string, ok bool) {
	depth := 1
	for i := range len(text) {
		switch text[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return text[:i], text[i+1:], true
			}
		}
	}
	return "", "", false
}

func (f filter) at(i int) string {
	if i < len(f.args) {
		return f.args[i]
	}
	return ""
}

// number reads an argument within bounds.
func (f filter) number(i int, least, most float64) (float64, error) {
	text := f.at(i)
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(n) || n < least || n > most {
		return 0, compat.Wrong("%s(%.80s): %q is no number within %g..%g", f.name, strings.Join(f.args, ","), text, least, most)
	}
	return n, nil
}

// filter notes what a filter asks for. Those of the geometry have their say wherever they stand; effects are done in their order.
func (q *request) filter(f filter) (err error) {
	switch f.name {
	case "upscale":
		q.upscale = true
	case "no_upscale":
		q.noUpscale = true
	case "stretch":
		q.stretch = true
	case "proportion":
		q.proportion, err = f.number(0, 0.001, 1000)
	case "focal":
		err = q.focus(f)
	case "fill":
		err = q.filling(f)
	case "background_color":
		q.ground, err = f.color(0)
	case "quality":
		var n float64
		n, err = f.number(0, 0, 100)
		q.quality = max(1, int(n))
	case "format":
		if len(f.args) != 1 || strings.Trim(f.args[0], "abcdefghijklmnopqrstuvwxyz0123456789") != "" || f.args[0] == "" {
			return compat.Wrong("format(%.80s) is no format", strings.Join(f.args, ","))
		}
		q.format = f.args[0]
	case "max_bytes":
		var n float64
		n, err = f.number(0, 1, 1<<30)
		q.maxBytes = int(n)
	case "page":
		var n float64
		n, err = f.number(0, 1, 10000)
		q.page = int(n)
	case "cover":
		q.page = 1
	case "strip_exif", "strip_icc", "preview": // always done, and nothing is stored
	case "max_frames":
		var n float64
		if n, err = f.number(0, 1, 10000); err == nil && n != 1 {
			return compat.Refuse("max_frames() of more than 1")
		}
		q.page = 1
	case "to_colorspace":
		switch space := strings.ToLower(f.at(0)); space {
		case "", "srgb":
		case "p3":
			q.space = "p3"
		default:
			return compat.Refuse("to_colorspace(%.40s)", space)
		}
	case "raw":
		q.raw = true
	case "attachment":
		q.attachment, q.filename = true, f.at(0)
	case "expire":
		var n float64
		n, err = f.number(0, 1, 1e15)
		q.until = time.UnixMilli(int64(n))
	default:
		return q.effect(f)
	}
	return err
}

// does notes a step that depends on nothing.
func (q *request) does(options ...string) {
	q.effects = append(q.effects, func(s *compat.Steps) error { s.Add(options...); return nil })
}

// effect notes a filter that changes pixels where they are.
func (q *request) effect(f filter) error {
	add := func(word string, n float64) { q.does("e_" + word + ":" + compat.Decimal(n)) }
	switch f.name {
	case "watermark":
		return q.watermark(f)
	case "text":
		return q.text(f)
	case "label":
		return q.label(f)
	case "crop":
		return q.crop(f)
	case "grayscale", "equalize":
		q.does("e_" + f.name)
	case "convolution":
		return q.convolution(f)
	case "rgb":
		return q.shares(f)
	case "brightness", "contrast", "saturation":
		n, err := f.number(0, -100, 100)
		if err != nil {
			return err
		}
		add(f.name, n)
	case "noise":
		n, err := f.number(0, 0, 100)
		if err != nil {
			return err
		}
		add(f.name, n)
	case "hue":
		n, err := f.number(0, -360, 360)
		if err != nil {
			return err
		}
		add(f.name, n-360*math.Round(n/360))
	case "blur":
		n, err := f.number(max(0, len(f.args)-1), 0, 150) // the second, if there is one, is the deviation
		if err != nil || n == 0 {
			return err
		}
		add(f.name, n)
	case "sharpen":
		if len(f.args) > 1 {
			return compat.Refuse("thumbor's sharpen(amount,radius,luminance)")
		}
		n, err := f.number(0, 0, 100)
		if err != nil || n == 0 {
			return err
		}
		add(f.name, n)
	case "rotate":
		n, err := f.number(0, -3600, 3600)
		if err != nil {
			return err
		}
		if n != math.Trunc(n) || int(n)%90 != 0 {
			return compat.Refuse("thumbor's rotate by %g degrees", n)
		}
		if n = math.Mod(360-math.Mod(n, 360), 360); n != 0 { // thumbor turns to the left
			q.effects = append(q.effects, func(s *compat.Steps) error { s.Rotate(int(n)); return nil })
		}
	case "round_corner":
		return q.corners(f)
	default:
		return compat.Refuse("the filter %.40q", f.name)
	}
	return nil
}

// shares reads rgb(red,green,blue): per cent of all that there is, which are added.
func (q *request) shares(f filter) error {
	word := "e_rgb"
	for i := range 3 {
		n, err := f.number(i, -100, 100)
		if err != nil {
			return err
		}
		word += ":" + compat.Decimal(n)
	}
	q.does(word)
	return nil
}

// convolution reads convolution(number;number;...,columns,normalize). A matrix of fewer rows or columns is the middle of a larger one.
func (q *request) convolution(f filter) error {
	numbers := strings.Split(f.at(0), ";")
	columns, err := f.number(1, 1, 25)
	if err != nil {
		return err
	}
	n, across := len(numbers), int(columns)
	down := n / across
	if float64(across) != columns || down*across != n || across%2 == 0 || down%2 == 0 {
		return compat.Wrong("convolution(%.80s): %d numbers are no matrix of %g columns, with odd sides", strings.Join(f.args, ","), n, columns)
	}
	if across > 5 || down > 5 {
		return compat.Refuse("a convolution by %d x %d", across, down)
	}
	side := max(3, across, down)
	matrix := slices.Repeat([]string{"0"}, side*side)
	for i, text := range numbers {
		v, err := (filter{name: f.name, args: []string{text}}).number(0, -1000, 1000)
		if err != nil {
			return err
		}
		matrix[(i/across+(side-down)/2)*side+i%across+(side-across)/2] = compat.Decimal(v)
	}
	word := "e_convolve:" + strings.Join(matrix, ":")
	switch strings.ToLower(f.at(2)) {
	case "", "1", "true":
		word += ":normalize"
	case "0", "false":
	default:
		return compat.Wrong("convolution(%.80s): %.40q is neither true nor false", strings.Join(f.args, ","), f.at(2))
	}
	q.does(word)
	return nil
}

// corners reads round_corner(r,red,green,blue,transparent) as thumbor and round_corner(r,r,color) as imagor has it.
func (q *request) corners(f filter) error {
	if len(f.args) > 0 {
		first, second, two := strings.Cut(f.args[0], "|")
		if f.args[0] = first; two && second != first && second != "0" {
			return compat.Refuse("round_corner with an ellipse")
		}
	}
	r, err := f.number(0, 0, 16384)
	if err != nil || r == 0 {
		return err
	}
	q.does(compat.Named("r", int(r)))
	switch {
	case len(f.args) >= 4:
		var c [3]float64
		for i := range c {
			if c[i], err = f.number(i+1, 0, 255); err != nil {
				return err
			}
		}
		if len(f.args) < 5 || f.args[4] != "1" && f.args[4] != "true" {
			q.ground = fmt.Sprintf("%02x%02x%02x", int(c[0]), int(c[1]), int(c[2]))
		}
	case len(f.args) >= 2 && f.args[1] != f.args[0]:
		return compat.Refuse("round_corner with an ellipse")
	case len(f.args) == 3:
		q.ground, err = f.color(2)
	}
	return err
}

// color reads a colour; "none" is imagor's word for a transparent one.
func (f filter) color(i int) (string, error) {
	text := strings.ToLower(strings.TrimPrefix(f.at(i), "#"))
	if named, ok := names[text]; ok {
		return named, nil
	}
	if (len(text) == 3 || len(text) == 6) && strings.Trim(text, "0123456789abcdef") == "" {
		return text, nil
	}
	if text == "auto" {
		return "", compat.Refuse("%s(auto)", f.name)
	}
	return "", compat.Wrong("%s(%.80s): %.40q is no colour that is known here; write it as rrggbb", f.name, strings.Join(f.args, ","), text)
}

// names has the colours that CSS 2 has names for.
var names = map[string]string{
	"transparent": "transparent", "none": "transparent", "black": "000000", "silver": "c0c0c0", "gray": "808080", "grey": "808080",
	"white": "ffffff", "maroon": "800000", "red": "ff0000", "purple": "800080", "fuchsia": "ff00ff", "magenta": "ff00ff", "green": "008000",
	"lime": "00ff00", "olive": "808000", "yellow": "ffff00", "orange": "ffa500", "navy": "000080", "blue": "0000ff", "teal": "008080",
	"aqua": "00ffff", "cyan": "00ffff",
}
