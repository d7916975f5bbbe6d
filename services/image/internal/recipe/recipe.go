// Package recipe is the language in which variants are asked for: its types, its grammar, its one canonical form and what makes a
// variant the same as another. It knows no picture library, no wire format and no store.
package recipe

// EngineVersion is part of every variant's key. It goes up whenever the same recipe begins to give a different picture.
const EngineVersion = "2"

// Limits of a recipe.
const (
	MaxVariants = 32
	MaxSteps    = 16
	MaxSide     = 16384       // pixels
	MaxPixels   = 100_000_000 // width x height of what fill, pad and scale are told to make
	MaxOffset   = 65535       // pixels, Crop's X and Y
	MaxName     = 64          // bytes
	MaxOptions  = 4096        // bytes of one variant's options, as callers write them
	MaxPage     = 10000

	MinBlur, MaxBlur       = 0.3, 100.0
	MinSharpen, MaxSharpen = 0.3, 10.0
	MinDPR, MaxDPR         = 0.1, 5.0
)

// Recipe is what is made from one original, all from one decode.
type Recipe struct {
	Variants []Variant `json:"variants"`
}

// Variant is one picture to make: steps in order, then an output.
type Variant struct {
	Name   string
	Steps  []Step
	Output Output
	Widths []int // a set: made once for each, under the name, "_" and the width
}

// Step is one operation, by value: Resize, Crop, Rotate, Flip, Blur, Sharpen, Adjust, Pixelate,
// Frame, Trim, Gradient, Convolve or Overlay.
type Step interface{ step() }

// Mode says how Resize treats the aspect ratio.
type Mode string

// The modes; see proto/image/v1/recipe.proto.
const (
	Limit     Mode = "limit"
	Fit       Mode = "fit"
	MinFit    Mode = "mfit"
	Fill      Mode = "fill"
	LimitFill Mode = "lfill"
	Pad       Mode = "pad"
	LimitPad  Mode = "lpad"
	Scale     Mode = "scale"
	Thumb     Mode = "thumb"
)

// Fills reports whether a mode cuts off what overhangs. Thumb does, once it is Meant.
func (m Mode) Fills() bool { return m == Fill || m == LimitFill }

// Pads reports whether a mode fills what is left with a background.
func (m Mode) Pads() bool { return m == Pad || m == LimitPad }

// Gravity says which part of a picture is kept, or where it stands on its padding.
type Gravity string

// The gravities. Those that find a part themselves, by what draws the eye, by entropy, around a Point or around Boxes, are for Fill, Thumb
// and Crop, XY for Crop alone.
const (
	Center    Gravity = "center"
	North     Gravity = "north"
	NorthEast Gravity = "north_east"
	East      Gravity = "east"
	SouthEast Gravity = "south_east"
	South     Gravity = "south"
	SouthWest Gravity = "south_west"
	West      Gravity = "west"
	NorthWest Gravity = "north_west"
	Auto      Gravity = "auto"
	Entropy   Gravity = "entropy"
	XY        Gravity = "xy"
	XYCenter  Gravity = "xy_center"
	Boxes     Gravity = "boxes"
)

// Resize changes the size. A side of 0 follows from the other.
type Resize struct {
	Mode          Mode
	Width, Height int
	Gravity       Gravity // where Fills, Pads, and Thumb
	Focus         Point   // XYCenter: in what is there before
	Boxes         []Box   // Boxes: in what is there before
	X, Y          int     // pixels from the edges that Gravity names, inwards; else from the middle to the right, and down
	Background    Color   // where Pads; also Blurred
}

// Crop cuts out a part; where the picture is smaller, what there is.
type Crop struct {
	Width, Height int
	Gravity       Gravity
	X, Y          int   // XY: the left upper corner
	Focus         Point // XYCenter
	Boxes         []Box // Boxes
}

// Rotate turns clockwise by 90, 180 or 270 degrees.
type Rotate struct{ Angle int }

// Flip mirrors: left and right change places when Horizontal, top and bottom when Vertical.
type Flip struct{ Horizontal, Vertical bool }

// Blur is Gaussian; Sigma in pixels. A Region of no size is the whole picture.
type Blur struct {
	Sigma  float64
	Region Region
}

// Sharpen is an unsharp mask on lightness; Sigma in pixels.
type Sharpen struct{ Sigma float64 }

func (Resize) step()  {}
func (Crop) step()    {}
func (Rotate) step()  {}
func (Flip) step()    {}
func (Blur) step()    {}
func (Sharpen) step() {}

// Format is an output format, in the word the URL uses.
type Format string

// The output formats. Original means the original's where it can be written, else jpeg, or png with transparency.
const (
	Original Format = ""
	JPEG     Format = "jpeg"
	PNG      Format = "png"
	WebP     Format = "webp"
	AVIF     Format = "avif"
	GIF      Format = "gif"
	JXL      Format = "jxl"
	TIFF     Format = "tiff"
	JSON     Format = "json" // what there is to say of the original and the picture

	// Negotiated is decided by a request's Accept header; see Variant.Negotiate. No job can have it.
	Negotiated Format = "auto"
)

// ContentType is the media type of a format that is written.
func (f Format) ContentType() string {
	if f == JSON {
		return "application/json"
	}
	return "image/" + string(f)
}

// Shown reports whether browsers show the format: what an original has is kept then where nobody said another.
func (f Format) Shown() bool { return member(string(f), shown) }

// Transparent reports whether the format can hold transparency.
func (f Format) Transparent() bool { return f != JPEG }

// Lossy reports whether the format takes a quality.
func (f Format) Lossy() bool { return f == JPEG || f == WebP || f == AVIF || f == JXL }

// Exact reports whether the format may be told to lose nothing.
func (f Format) Exact() bool { return f == WebP || f == AVIF || f == JXL }

// Output is how a result is encoded. Quality 0 is the format's default.
type Output struct {
	Format       Format
	Quality      int
	KeepMetadata bool
	StripProfile bool // of what KeepMetadata keeps
	Background   Color
	Lossless     bool
	Progressive  bool // jpeg and png: shown coarsely first
	Palette      bool // png: at most 256 colours
	Chroma       Chroma
	Scaling      Scaling
	Space        Space
	Page         int    // of an animation or a TIFF, the one that is taken, from 1; 0 is all that the format can show
	AutoQuality  Target // in place of Quality: found by measuring
	MaxBytes     int64  // what the result may have, by a lower quality; 0 is no limit
}

// Chroma says how many of the colour differences jpeg and avif keep: those of each pixel, or of every second one across and down.
type Chroma string

// The chroma subsamplings. Automatic keeps all from a quality of 90 on.
const (
	Automatic Chroma = ""
	Chroma420 Chroma = "420"
	Chroma444 Chroma = "444"
)

// fullChroma is the quality from which on Automatic keeps every colour difference.
const fullChroma = 90

// of says what Automatic means at a quality.
func (c Chroma) of(quality int) Chroma {
	switch {
	case c != Automatic:
		return c
	case quality >= fullChroma:
		return Chroma444
	}
	return Chroma420
}

// Subsampled reports whether an output with a quality keeps the colour differences of every second pixel only. What is lossless keeps all.
func (o Output) Subsampled() bool { return !o.Lossless && o.Chroma.of(o.Quality) == Chroma420 }

// Subsamples reports whether the format leaves a choice of its colour differences; webp does not.
func (f Format) Subsamples() bool { return f == JPEG || f == AVIF }

// Interlaces reports whether the format can be shown coarsely first.
func (f Format) Interlaces() bool { return f == JPEG || f == PNG }

// Moves reports whether the format holds an animation.
func (f Format) Moves() bool { return f == GIF || f == WebP }

// Color is normally "rrggbb" or "rrggbbaa" in lower-case hexadecimal, "transparent", or empty for the default.
type Color string
