package facts

import (
	"bytes"
	"math"
	"strings"
	"unicode"

	"github.com/bep/imagemeta"
)

// tags are the fields of EXIF that are told, in our words: what the picture is of, when, and with which camera. Numbers of devices,
// owners' names and makers' notes are not.
var tags = map[string]string{
	"Make": "make", "Model": "model", "LensMake": "lens_make", "LensModel": "lens_model", "Software": "software",
	"ModifyDate": "date_time", "DateTimeOriginal": "date_time_original", "OffsetTimeOriginal": "offset_time_original",
	"ExposureTime": "exposure_time", "FNumber": "f_number", "ISO": "iso", "ExposureCompensation": "exposure_bias", "ExposureProgram": "exposure_program",
	"FocalLength": "focal_length", "FocalLengthIn35mmFormat": "focal_length_35mm", "MeteringMode": "metering_mode", "Flash": "flash",
	"WhiteBalance": "white_balance", "ImageDescription": "image_description", "Artist": "artist", "Copyright": "copyright",
}

// maxText is how many characters of a text are told.
const maxText = 200

// Place is where a picture was taken.
type Place struct {
	Latitude  float64  `json:"latitude"`  // degrees, north positive
	Longitude float64  `json:"longitude"` // degrees, east positive
	Altitude  *float64 `json:"altitude,omitempty"`
}

// EXIF reads what is known of a block of EXIF, which is a TIFF with or without "Exif" before it. What is damaged is left out.
func EXIF(block []byte) (map[string]any, *Place) {
	block = bytes.TrimPrefix(block, []byte("Exif\x00\x00"))
	found, place := map[string]any{}, map[string]any{}
	_ = imagemeta.Decode(imagemeta.Options{
		R: bytes.NewReader(block), ImageFormat: imagemeta.TIFF, Sources: imagemeta.EXIF, LimitNumTags: 1000, LimitTagSize: 4096,
		ShouldHandleTag: func(t imagemeta.TagInfo) bool { return strings.HasPrefix(t.Namespace, "IFD0") },
		HandleTag: func(t imagemeta.TagInfo) error {
			if strings.HasSuffix(t.Namespace, "GPSInfoIFD") {
				place[t.Tag] = t.Value
			} else if word := tags[t.Tag]; word != "" {
				if v := plain(t.Value); v != nil {
					found[word] = v
				}
			}
			return nil
		},
	}) // what came before a fault counts
	if len(found) == 0 {
		found = nil
	}
	return found, locate(place)
}

// plain makes of a value what JSON has: a short text, or a number.
func plain(v any) any {
	switch v := v.(type) {
	case string:
		if s := text(v); s != "" {
			return s
		}
		return nil
	case []any:
		if len(v) > 0 {
			return plain(v[0])
		}
		return nil
	}
	if f, ok := number(v); ok {
		return math.Round(f*1e6) / 1e6
	}
	return nil
}

func text(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if r := []rune(strings.TrimSpace(s)); len(r) > maxText {
		return string(r[:maxText])
	}
	return strings.TrimSpace(s)
}

func number(v any) (float64, bool) {
	f := math.NaN()
	switch v := v.(type) {
	case interface{ Float64() float64 }:
		f = v.Float64()
	case float64:
		f = v
	case float32:
		f = float64(v)
	case uint8:
		f = float64(v)
	case uint16:
		f = float64(v)
	case uint32:
		f = float64(v)
	case int32:
		f = float64(v)
	}
	return f, !math.IsNaN(f) && !math.IsInf(f, 0)
}

// locate reads a place, or gives nil where there is none on Earth.
func locate(gps map[string]any) *Place {
	lat, ok := number(gps["GPSLatitude"])
	long, ok2 := number(gps["GPSLongitude"])
	if !ok || !ok2 || math.Abs(lat) > 90 || math.Abs(long) > 180 || lat == 0 && long == 0 {
		return nil
	}
	sign := func(ref string, minus string) float64 {
		if s, _ := gps[ref].(string); strings.EqualFold(strings.TrimSpace(s), minus) {
			return -1
		}
		return 1
	}
	p := &Place{Latitude: sign("GPSLatitudeRef", "S") * math.Round(math.Abs(lat)*1e6) / 1e6,
		Longitude: sign("GPSLongitudeRef", "W") * math.Round(math.Abs(long)*1e6) / 1e6}
	if h, ok := number(gps["GPSAltitude"]); ok {
		if below, _ := number(gps["GPSAltitudeRef"]); below == 1 {
			h = -h
		}
		h = math.Round(h*10) / 10
		p.Altitude = &h
	}
	return p
}
