package pipeline

import (
	"fmt"

	"calotype/kit/config"
	"calotype/kit/fault"
	"calotype/services/image/internal/pipeline/probe"
)

// The reasons beside probe's with which this package refuses.
const (
	ResultTooLarge = "RESULT_TOO_LARGE"
	OutsidePicture = "CROP_OUTSIDE_PICTURE"
	CannotEncode   = "FORMAT_NOT_WRITABLE"
	NoSuchPage     = "NO_SUCH_PAGE"
	TooSlow        = "TRANSFORM_TIMEOUT"
)

// Limits bound what one picture may cost. They are checked before any pixel is decoded.
type Limits struct {
	Bytes           config.Size `koanf:"bytes" doc:"the most bytes of an original"`
	Side            int         `koanf:"side" doc:"the most pixels of a side of an original"`
	Pixels          int64       `koanf:"pixels" doc:"the most pixels of one frame, of originals and of results"`
	AnimationPixels int64       `koanf:"animation_pixels" doc:"the most pixels of all frames of an animation together"`
	Frames          int         `koanf:"frames" doc:"the most frames of an animation"`
	ScanPixels      int64       `koanf:"scan_pixels" doc:"the most pixels of all scans of a progressive JPEG together: each is a pass over the picture"`
	Scans           int         `koanf:"scans" doc:"the most scans of a progressive JPEG; usual are 10"`
	Profile         config.Size `koanf:"profile" doc:"the most bytes of a colour profile, unpacked"`
	Exif            config.Size `koanf:"exif" doc:"the most bytes of EXIF; a JPEG has 64KiB at most"`
	Memory          config.Size `koanf:"memory" doc:"the most decoded pixels, in bytes, that one call keeps"`
	OutputBytes     config.Size `koanf:"output_bytes" doc:"the most bytes of all results of one call together"`
}

// DefaultLimits suit photographs up to 64 megapixels in less than 512 MiB for two at once.
func DefaultLimits() Limits {
	return Limits{
		Bytes: 100 * config.MiB, Side: 32768, Pixels: 64e6, AnimationPixels: 128e6, Frames: 512, ScanPixels: 3e9,
		Scans: 100, Profile: 4 * config.MiB, Exif: config.MiB, Memory: 192 * config.MiB, OutputBytes: 256 * config.MiB,
	}
}

// Validate reports every limit that is no limit.
func (l Limits) Validate() []fault.Field {
	var bad []fault.Field
	for name, v := range l.numbers() {
		if v < 1 {
			bad = append(bad, fault.Field{Path: name, Message: "must be at least 1"})
		}
	}
	if l.Profile > probe.MaxProfile {
		bad = append(bad, fault.Field{Path: "profile", Message: fmt.Sprintf("must be at most %v", config.Size(probe.MaxProfile))})
	}
	return bad
}

// numbers are the limits as the settings call them.
func (l Limits) numbers() map[string]int64 {
	return map[string]int64{
		"bytes": int64(l.Bytes), "side": int64(l.Side), "pixels": l.Pixels, "animation_pixels": l.AnimationPixels,
		"frames": int64(l.Frames), "scan_pixels": l.ScanPixels, "scans": int64(l.Scans), "profile": int64(l.Profile),
		"exif": int64(l.Exif), "memory": int64(l.Memory), "output_bytes": int64(l.OutputBytes),
	}
}

// admit refuses what is too large.
func (l Limits) admit(h probe.Header, bytes int) error {
	large := func(format string, args ...any) error {
		return fault.New(fault.Invalid, probe.TooLarge, "the picture is too large: "+format, args...)
	}
	switch {
	case int64(bytes) > int64(l.Bytes):
		return large("%d bytes, where at most %d are accepted", bytes, l.Bytes)
	case h.Width > l.Side || h.Height > l.Side:
		return large("%d x %d pixels, where a side may have at most %d", h.Width, h.Height, l.Side)
	case h.Pixels() > l.Pixels:
		return large("%d x %d are %s, where at most %s are accepted", h.Width, h.Height, mega(h.Pixels()), mega(l.Pixels))
	case h.Coded > 2*l.Pixels: // parts overlap, and are rounded up
		return large("its parts hold %s, where at most %s are accepted", mega(h.Coded), mega(2*l.Pixels))
	case h.Pixels()*int64(h.Scans) > max(l.ScanPixels, l.Pixels):
		return large("a progressive JPEG of %d x %d pixels in %d scans, where at most %d are accepted at that size", h.Width, h.Height,
			h.Scans, l.ScanPixels/h.Pixels())
	case h.Scans > l.Scans:
		return large("a progressive JPEG of %d scans, where at most %d are accepted", h.Scans, l.Scans)
	case h.Profile > int(l.Profile):
		return large("a colour profile of %d bytes or more, where at most %d are accepted", h.Profile, l.Profile)
	case h.Exif > int(l.Exif):
		return large("%d bytes of EXIF, where at most %d are accepted", h.Exif, l.Exif)
	case !moves(h.Format):
		return nil
	case h.Frames > l.Frames:
		return large("%d frames, where at most %d are accepted", h.Frames, l.Frames)
	case h.Pixels()*int64(h.Frames) > l.AnimationPixels:
		return large("%d frames of %d x %d are %s, where at most %s are accepted", h.Frames, h.Width, h.Height,
			mega(h.Pixels()*int64(h.Frames)), mega(l.AnimationPixels))
	}
	return nil
}

// moves reports whether the frames of a format are an animation's; a TIFF's are pages, of which the first is taken.
func moves(format string) bool { return format == probe.GIF || format == probe.WebP }

func mega(pixels int64) string { return fmt.Sprintf("%.1f megapixels", float64(pixels)/1e6) }
