package recipe

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
)

// Words of the grammar, in the order in which they are told.
var (
	modes     = []string{"limit", "fit", "fill", "pad", "scale", "thumb", "lfill", "lpad", "mfit"}
	cropModes = append(slices.Clone(modes), "crop")
	compass   = []string{"center", "north", "north_east", "east", "south_east", "south", "south_west", "west", "north_west"}
	shown     = []string{"jpeg", "png", "webp", "avif", "gif"}
	formats   = append(slices.Clone(shown), "jxl", "tiff", "json")
	turns     = []string{"90", "180", "270", "hflip", "vflip"}
	chromas   = []string{"420", "444"}
	targets   = []string{"best", "good", "eco", "low"}

	adjustments = []string{"brightness", "contrast", "saturation", "hue", "gamma", "grayscale", "negate", "sepia", "tint", "duotone", "equalize", "rgb", "noise"}
)

func effects() []string {
	return append([]string{"blur", "sharpen", "trim", "pixelate", "pixelate_region", "blur_region", "gradient", "convolve"}, adjustments...)
}

func gravities(more ...string) []string { return append(append([]string{}, compass...), more...) }

// known are words that other services and people use for something that has another word here.
var known = map[string]string{
	"cover": "fill", "mpad": "lpad", "contain": "fit", "outside": "mfit", "inside": "limit",
	"face": "auto", "faces": "auto", "smart": "auto", "attention": "auto", "thumbnail": "thumb", "middle": "center", "centre": "center",
	"top": "north", "bottom": "south", "left": "west", "right": "east", "fp": "xy_center", "focal": "xy_center", "focus": "xy_center", "obj": "boxes", "objw": "boxes", "objects": "boxes", "box": "boxes",
	"width": "w", "height": "h", "crop": "c", "mode": "c", "gravity": "g", "background": "b", "angle": "a", "rotate": "a", "effect": "e",
	"blur": "e", "sharpen": "e", "format": "f", "quality": "q", "flags": "fl",
	"page": "pg", "colorspace": "cs", "space": "cs", "display_p3": "p3", "rgb": "srgb", "frame": "pg", "interlace": "progressive", "interlaced": "progressive", "palette": "png8", "quantize": "png8",
	"greyscale": "grayscale", "blackwhite": "grayscale", "monochrome": "grayscale", "invert": "negate", "colorize": "tint", "saturate": "saturation", "equalise": "equalize", "histogram": "equalize", "grain": "noise", "convolution": "convolve", "kernel": "convolve", "normalize": "equalize",
	"mosaic": "pixelate", "radius": "r", "round": "r", "border": "bo",
	"overlay": "l", "watermark": "l", "opacity": "o", "color": "co", "tile": "tiled", "mask": "cutter",
	"strip_icc": "strip_profile", "no_subsample": "chroma_444", "jpe": "jpeg", "jfif": "jpeg", "heic": "avif", "heif": "avif",
}

// wrongWord says that a word is not one of a closed set, and which of the set was probably meant.
func wrongWord(what, word string, set []string) string {
	if near := nearest(word, set); near != "" {
		return fmt.Sprintf("there is no %s %q; did you mean %q?", what, word, near)
	}
	return fmt.Sprintf("there is no %s %q; it is one of %s", what, word, strings.Join(set, ", "))
}

// nearest finds the word of set that differs least from word, or "" when none is like it.
func nearest(word string, set []string) string {
	word = strings.ToLower(strings.TrimSpace(word))
	if len(word) > MaxName {
		return ""
	}
	meant := known[strings.ReplaceAll(word, "-", "_")]
	best, least, longest := "", len(word)/2+1, 0
	for _, w := range set {
		if w == meant {
			return w
		}
		d, common := levenshtein.Distance(word, w, nil), beginning(word, w)
		if d < len(w) && (d < least || d == least && common > longest && best != "") {
			best, least, longest = w, d, common
		}
	}
	return best
}

// beginning counts the bytes with which both begin.
func beginning(a, b string) (n int) {
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}
