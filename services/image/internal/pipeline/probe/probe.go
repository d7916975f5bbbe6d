// Package probe says what a file is and whether it is whole, from its bytes alone and before any decoder sees them. It knows the
// outlines of the formats, no pixels, and no picture library; its cost is a few milliseconds for the largest file, and tens for one that is made to cost.
package probe

import (
	"bytes"
	"maps"
	"slices"

	"calotype/kit/fault"
)

// The reasons with which a file is refused.
const (
	Unsupported = "UNSUPPORTED_FORMAT"
	Broken      = "BROKEN_IMAGE"
	TooLarge    = "IMAGE_TOO_LARGE"
)

// The formats that can be read.
const (
	JPEG = "jpeg"
	PNG  = "png"
	WebP = "webp"
	GIF  = "gif"
	AVIF = "avif"
	HEIC = "heic"
	TIFF = "tiff"
	BMP  = "bmp"
	// These are read by who allows them only: their decoders are large, and not made for strangers' files.
	JXL = "jxl"
	SVG = "svg"
	PDF = "pdf"
)

// Guarded are the formats that must be allowed.
func Guarded() []string { return []string{JXL, SVG, PDF} }

// Header is what the outline of a file tells.
type Header struct {
	Format      string
	ContentType string
	Width       int // as stored, before any orientation
	Height      int // of one frame
	Frames      int // frames or pages, at least 1
	Scans       int // of a progressive JPEG
	// Coded is the pixels that an AVIF's or HEIC's decoder will make, by what the compressed parts say of themselves.
	Coded int64
	// Coefficients is how many numbers, of 2 bytes, a decoder keeps of a JPEG of several scans.
	Coefficients int64
	Deep         bool // a PNG, AVIF or HEIC of more than 8 bits
	Interlaced   bool // a PNG that is only complete with its last row
	Lossless     bool // a WebP
	// Profile and Exif are the bytes of the longest colour profile and EXIF block; a PNG's profile counts as it unfolds.
	Profile, Exif int
}

// Pixels counts one frame's.
func (h Header) Pixels() int64 { return int64(h.Width) * int64(h.Height) }

var contentTypes = map[string]string{
	JPEG: "image/jpeg", PNG: "image/png", WebP: "image/webp", GIF: "image/gif", AVIF: "image/avif", HEIC: "image/heic", TIFF: "image/tiff",
	BMP: "image/bmp", JXL: "image/jxl", SVG: "image/svg+xml", PDF: "application/pdf",
}

// Formats are those that can be read, ordered by name.
func Formats() []string { return slices.Sorted(maps.Keys(contentTypes)) }

// ContentType gives the media type of a format, or "".
func ContentType(format string) string { return contentTypes[format] }

// Read reads the outline of a whole file. It fails with fault.Invalid: Unsupported when the format is not one that is read, Broken
// when the file is damaged or cut short. Of the guarded formats those are read that are allowed.
func Read(data []byte, allowed ...string) (Header, error) {
	if len(data) == 0 {
		return Header{}, broken("the file is empty")
	}
	format, err := Format(data, allowed...)
	if err != nil {
		return Header{}, err
	}
	read := map[string]func([]byte) (Header, error){
		JPEG: readJPEG, PNG: readPNG, WebP: readWebP, GIF: readGIF, AVIF: readBMFF, HEIC: readBMFF, TIFF: readTIFF,
		BMP: readBMP, JXL: readJXL, SVG: readSVG, PDF: readPDF,
	}[format]
	h, err := read(data)
	if err != nil {
		return Header{}, err
	}
	h.Format, h.ContentType = format, contentTypes[format]
	if h.Width < 1 || h.Height < 1 {
		return Header{}, broken("it says it is %d x %d pixels, which no picture is", h.Width, h.Height)
	}
	h.Frames = max(h.Frames, 1)
	return h, nil
}

// Format tells the format from the first bytes. Its error names what the file seems to be instead.
func Format(data []byte, allowed ...string) (string, error) {
	has := func(at int, s string) bool { return len(data) >= at+len(s) && string(data[at:at+len(s)]) == s }
	switch {
	case has(0, "\xff\xd8\xff"):
		return JPEG, nil
	case has(0, "\x89PNG\r\n\x1a\n"):
		return PNG, nil
	case has(0, "GIF87a"), has(0, "GIF89a"):
		return GIF, nil
	case has(0, "RIFF") && has(8, "WEBP"):
		return WebP, nil
	case has(0, "II*\x00"), has(0, "MM\x00*"), has(0, "II+\x00"), has(0, "MM\x00+"):
		return TIFF, nil
	case has(0, "BM") && len(data) > 26:
		return BMP, nil
	case has(4, "ftyp"):
		if f := brand(data); f != "" {
			return f, nil
		}
		return "", unsupported("it is a video or another file in the ISO media format")
	}
	if what, format := foreign(data, has); slices.Contains(allowed, format) {
		return format, nil
	} else if what != "" {
		return "", unsupported("it is %s, which is not accepted", what)
	}
	return "", unsupported("its content is no picture that is known here")
}

// foreign names formats that are known and refused, because their decoders are not safe with strangers' files or not here. The format
// is told of those that may be allowed.
func foreign(data []byte, has func(int, string) bool) (what, format string) {
	switch {
	case has(0, "%PDF"):
		return "a PDF document", PDF
	case has(0, "%!PS"), has(0, "\xc5\xd0\xd3\xc6"):
		return "a PostScript file", ""
	case has(0, "\xff\x0a"), has(0, "\x00\x00\x00\x0cJXL \r\n\x87\n"):
		return "a JPEG XL picture", JXL
	case has(0, "\x00\x00\x00\x0cjP  \r\n\x87\n"), has(0, "\xff\x4f\xff\x51"):
		return "a JPEG 2000 picture", ""
	case has(0, "8BPS"):
		return "a Photoshop document", ""
	case has(0, "\x00\x00\x01\x00"):
		return "an icon file", ""
	case has(0, "\x1f\x8b"):
		return "a gzip file (or a compressed SVG)", ""
	case has(0, "PK\x03\x04"):
		return "a ZIP file", ""
	}
	head := bytes.ToLower(bytes.TrimLeft(data[:min(len(data), 4096)], "\xef\xbb\xbf \t\r\n"))
	switch {
	case bytes.HasPrefix(head, []byte("<")) && bytes.Contains(head, []byte("<svg")):
		return "an SVG drawing", SVG
	case bytes.HasPrefix(head, []byte("<!doctype html")), bytes.HasPrefix(head, []byte("<html")), bytes.HasPrefix(head, []byte("<script")):
		return "an HTML page", ""
	case bytes.HasPrefix(head, []byte("<?xml")):
		return "an XML document", ""
	}
	return "", ""
}

const accepted = "; accepted are JPEG, PNG, WebP, GIF, AVIF, HEIC, TIFF and BMP"

func unsupported(format string, args ...any) error {
	return fault.New(fault.Invalid, Unsupported, "the file cannot be used: "+format+accepted, args...)
}

func tooLarge(format string, args ...any) error {
	return fault.New(fault.Invalid, TooLarge, "the picture is too large: "+format, args...)
}

func broken(format string, args ...any) error {
	return fault.New(fault.Invalid, Broken, "the picture is damaged or incomplete: "+format, args...)
}
