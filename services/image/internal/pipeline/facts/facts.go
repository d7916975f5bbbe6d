// Package facts is what there is to say of a picture in place of showing it: the document that the format json is. It measures a small
// copy, so that its cost does not depend on the picture, and knows no picture library.
package facts

import (
	"encoding/json"
	"image"
	"math"
)

// Side is how many pixels a side of the copy has at most that is measured.
const Side = 256

// Document is the whole answer. docs/images.md tells its units and sources.
type Document struct {
	Original Original `json:"original"`
	Picture  Picture  `json:"picture"`
}

// Original is what the file says.
type Original struct {
	Format       string         `json:"format"`
	ContentType  string         `json:"content_type"`
	Bytes        int64          `json:"bytes"`
	Width        int            `json:"width"` // upright
	Height       int            `json:"height"`
	Pages        int            `json:"pages"`
	Delays       []int          `json:"delays_ms,omitempty"` // of each frame of an animation
	Orientation  int            `json:"orientation"`
	HasAlpha     bool           `json:"has_alpha"`
	ColorProfile string         `json:"color_profile,omitempty"`
	EXIF         map[string]any `json:"exif,omitempty"`
	GPS          *Place         `json:"gps,omitempty"`
}

// Picture is what is seen when the operations are done.
type Picture struct {
	Width  int `json:"width"`
	Height int `json:"height"`
	Page   int `json:"page"` // of the original
	Measures
}

// Measures are found in the pixels.
type Measures struct {
	AverageColor string  `json:"average_color"` // rrggbb
	Palette      []Share `json:"palette"`
	BlurHash     string  `json:"blurhash"`
	ThumbHash    string  `json:"thumbhash"` // base64
	PHash        string  `json:"phash"`     // 16 hexadecimal digits
	Entropy      float64 `json:"entropy"`   // bits
	Sharpness    float64 `json:"sharpness"`
}

// Share is a colour and the part of the picture that has about this colour.
type Share struct {
	Color string  `json:"color"` // rrggbb
	Share float64 `json:"share"` // 0..1
}

// Encode writes a document. Equal documents are equal bytes.
func (d Document) Encode() ([]byte, error) {
	data, err := json.Marshal(d)
	return append(data, '\n'), err
}

// Measure looks at a picture of at most Side pixels a side.
func Measure(im *image.NRGBA) (Measures, error) {
	blur, err := blurHash(im)
	if err != nil {
		return Measures{}, err
	}
	light := lightness(im)
	return Measures{AverageColor: average(im), Palette: palette(im), BlurHash: blur, ThumbHash: thumbHash(im), PHash: pHash(im),
		Entropy: round(light.entropy()), Sharpness: round(light.sharpness())}, nil
}

// round keeps four digits after the point, so that the last bits of a sum's order do not show.
func round(f float64) float64 { return math.Round(f*1e4) / 1e4 }
