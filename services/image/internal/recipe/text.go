package recipe

import (
	"encoding/base64"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits and defaults of Text.
const (
	MaxText              = 500 // characters
	MaxLines             = 50  // that newlines part
	MinLetter, MaxLetter = 4, 1000
	DefaultLetter        = 32
	DefaultFont          = "sans"
)

// Align says how the lines of a text stand to each other.
type Align string

// The alignments. Left is where a line begins: for what is written from right to left, the right.
const (
	Left   Align = "left"
	Middle Align = "center"
	Right  Align = "right"
)

var aligns = []string{"left", "center", "right"}

// Text is written in a font of the machine. Its zero value is no text.
type Text struct {
	Text         string // plain: nothing in it is markup
	Font         string // the family
	Size         int    // pixels of a line's letters
	Bold, Italic bool
	Color        Color
	Background   Color // behind the letters
	Width        int   // at which lines are wrapped; 0 is the picture's, less the overlay's X on both sides
	Align        Align
}

func (t Text) normal() Text {
	if t.Font == "" {
		t.Font = DefaultFont
	}
	if t.Size == 0 {
		t.Size = DefaultLetter
	}
	if t.Align == "" {
		t.Align = Left
	}
	if t.Color == "" {
		t.Color = "000000"
	}
	t.Color, _ = t.Color.normal()
	if t.Background, _ = t.Background.normal(); t.Background == Transparent {
		t.Background = ""
	}
	return t
}

// fonts are what families are called; what else fonts' descriptions can say, as styles, sizes and lists, they cannot.
var fonts = regexp.MustCompile(`^[\p{L}\p{N}][\p{L}\p{N} -]{0,63}$`)

func (c *checker) written(t Text) {
	c.plain(t.Text)
	if !fonts.MatchString(t.Font) {
		c.fault("text.font", "%.80q is no family: 1..64 letters, digits, spaces and '-'", t.Font)
	}
	c.within("text.size", t.Size, MinLetter, MaxLetter)
	c.within("text.width", t.Width, 0, MaxSide)
	c.color("text.color", t.Color)
	c.color("text.background", t.Background)
	if !member(string(t.Align), aligns) {
		c.fault("text.align", "%s", wrongWord("alignment", string(t.Align), aligns))
	}
}

func (c *checker) plain(text string) {
	const at = "text.text"
	if !utf8.ValidString(text) {
		c.fault(at, "it is not UTF-8")
		return
	}
	if n := utf8.RuneCountInString(text); n > MaxText {
		c.fault(at, "it has %d characters; at most %d are written", n, MaxText)
	}
	if n := strings.Count(text, "\n") + 1; n > MaxLines {
		c.fault(at, "it has %d lines; at most %d are written", n, MaxLines)
	}
	if strings.TrimSpace(text) == "" {
		c.fault(at, "there is nothing to write")
	}
	for _, r := range text {
		if r != '\n' && unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp) {
			c.fault(at, "%U is a control character; of these, only newlines are written", r)
			return
		}
	}
}

func (o *options) written(t Text) {
	style := t.Font + "_" + strconv.Itoa(t.Size)
	for i, is := range []bool{t.Bold, t.Italic, t.Align == Middle, t.Align == Right} {
		if is {
			style += []string{"_bold", "_italic", "_center", "_right"}[i]
		}
	}
	o.text("l", written+style+":"+encoded+base64.RawURLEncoding.EncodeToString([]byte(t.Text)))
	if t.Color != "000000" {
		o.text("co", string(t.Color))
	}
	o.text("b", string(t.Background))
	o.number("w", t.Width)
}

// text reads "DejaVu Sans_40_bold:Hello%2C world" or "sans_40:b64:SGVsbG8", with the co_, b_ and w_ of its step.
func (p *parser) text(t part, value string, factor float64) Text {
	l := t.options["l"]
	style, said, cut := strings.Cut(value, ":")
	words := strings.Split(style, "_")
	if !cut || len(words) < 2 {
		p.wrong(l, "a text is written as l_text:sans_40:Hello or l_text:DejaVu Sans_40_bold_center:Hello is")
		return Text{}
	}
	out := Text{Font: p.percent(l, words[0]), Size: p.scaled(l.of(words[1]), factor)}
	if out.Font == "" {
		p.wrong(l, "the font is missing, as in l_text:sans_40:Hello")
	}
	if out.Size == 0 && integers.MatchString(words[1]) {
		p.wrong(l, "a size of %s is not within %d..%d", words[1], MinLetter, MaxLetter)
	}
	for _, word := range words[2:] {
		switch word {
		case "bold":
			out.Bold = true
		case "italic":
			out.Italic = true
		case "left", "center", "right":
			out.Align = Align(word)
		default:
			p.wrong(l, "%s", wrongWord("style of a text", word, append([]string{"bold", "italic"}, aligns...)))
		}
	}
	out.Text = p.decoded(l, said)
	out.Color, out.Background = p.color(t.options["co"]), p.color(t.options["b"])
	if o, ok := t.options["w"]; ok {
		if out.Width = p.scaled(o, factor); out.Width == 0 && integers.MatchString(o.value) {
			p.wrong(o, "0 is not within 1..%d", MaxSide)
		}
	}
	if o, ok := t.options["h"]; ok {
		p.wrong(o, "a text is as high as its lines")
	}
	return out
}

func (p *parser) scaled(o option, factor float64) int {
	return int(float64(p.integer(o))*factor + 0.5)
}

var percents = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

// decoded is the text itself, of percent-encoding or, after "b64:", of base64url.
func (p *parser) decoded(l option, said string) string {
	if code, is := strings.CutPrefix(said, encoded); is {
		b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(code, "="))
		if err != nil {
			p.wrong(l, "what stands after %s is no base64url", encoded)
		}
		return string(b)
	}
	return p.percent(l, said)
}

func (p *parser) percent(l option, said string) string {
	if strings.Count(said, "%") != len(percents.FindAllString(said, -1)) {
		p.wrong(l, "a per cent sign in a text is written %%25, a comma %%2C and a slash %%2F")
		return ""
	}
	return percents.ReplaceAllStringFunc(said, func(code string) string {
		n, _ := strconv.ParseUint(code[1:], 16, 8)
		return string([]byte{byte(n)})
	})
}
