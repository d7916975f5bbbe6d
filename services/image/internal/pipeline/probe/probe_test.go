package probe_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"calotype/kit/fault"
	"calotype/services/image/internal/pipeline/probe"
)

const pictures = "../../../../../test/pictures"

func load(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(pictures, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestReadTellsWhatGoodFilesAre(t *testing.T) {
	for name, want := range map[string]probe.Header{
		"photo.jpg":         {Format: "jpeg", ContentType: "image/jpeg", Width: 1200, Height: 900, Frames: 1, Scans: 1, Exif: 9207},
		"progressive.jpg":   {Format: "jpeg", ContentType: "image/jpeg", Width: 640, Height: 480, Frames: 1, Scans: 10, Coefficients: 478912},
		"orientation-6.jpg": {Format: "jpeg", ContentType: "image/jpeg", Width: 80, Height: 120, Frames: 1, Scans: 1, Exif: 32},
		"photo.webp":        {Format: "webp", ContentType: "image/webp", Width: 640, Height: 480, Frames: 1, Exif: 9207},
		"photo.avif":        {Format: "avif", ContentType: "image/avif", Width: 640, Height: 480, Frames: 1, Coded: 640 * 480},
		"photo.heic":        {Format: "heic", ContentType: "image/heic", Width: 640, Height: 480, Frames: 1, Coded: 640 * 480},
		"small.tif":         {Format: "tiff", ContentType: "image/tiff", Width: 160, Height: 120, Frames: 1},
		"deep.png":          {Format: "png", ContentType: "image/png", Width: 96, Height: 64, Frames: 1, Deep: true},
		"alpha.png":         {Format: "png", ContentType: "image/png", Width: 200, Height: 150, Frames: 1},
		"banana.gif":        {Format: "gif", ContentType: "image/gif", Width: 121, Height: 128, Frames: 8},
		"squares.webp":      {Format: "webp", ContentType: "image/webp", Width: 80, Height: 80, Frames: 9},
		"bad/polyglot.jpg":  {Format: "jpeg", ContentType: "image/jpeg", Width: 120, Height: 80, Frames: 1, Scans: 1},
	} {
		got, err := probe.Read(load(t, name))
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v; want %+v", name, got, err, want)
		}
	}
}

// A file that is cut anywhere is refused, and never by a panic.
func TestReadRefusesEveryBeginning(t *testing.T) {
	for _, name := range []string{"photo.jpg", "progressive.jpg", "photo.webp", "squares.webp", "photo.avif", "photo.heic", "small.tif", "alpha.png", "deep.png", "walk.gif"} {
		whole := load(t, name)
		for part := range 64 {
			if _, err := probe.Read(whole[:len(whole)*part/64]); !fault.Is(orNone(err), fault.Invalid) {
				t.Errorf("%s cut at %d/64: %v", name, part, err)
			}
		}
	}
}

func orNone(err error) error {
	if err == nil {
		return fault.New(fault.Internal, "", "no error")
	}
	return err
}

func TestReadSaysWhatIsWrong(t *testing.T) {
	for name, want := range map[string]struct{ reason, says string }{
		"bad/truncated.jpg":   {probe.Broken, "before its end marker"},
		"bad/truncated.png":   {probe.Broken, `inside its "IDAT" chunk`},
		"bad/truncated.gif":   {probe.Broken, "the GIF ends inside frame"},
		"bad/truncated.webp":  {probe.Broken, "bytes, but"},
		"bad/truncated.avif":  {probe.Broken, "past the end"},
		"bad/flipped-bit.png": {probe.Broken, "checksum"},
		"bad/size-zero.jpg":   {probe.Broken, "0 x 0 pixels"},
		"bad/empty.jpg":       {probe.Broken, "empty"},
		"bad/noise.jpg":       {probe.Unsupported, "no picture"},
		"bad/page.png":        {probe.Unsupported, "an HTML page"},
		"bad/script.svg":      {probe.Unsupported, "an SVG drawing"},
		"bad/laughs.svg":      {probe.Unsupported, "an SVG drawing"},
		"bad/document.jpg":    {probe.Unsupported, "a PDF document"},
		"bad/postscript.jpg":  {probe.Unsupported, "a PostScript file"},
	} {
		_, err := probe.Read(load(t, name))
		if fault.ReasonOf(err) != want.reason || !strings.Contains(err.Error(), want.says) {
			t.Errorf("%s: got %v, want %s with %q", name, err, want.reason, want.says)
		}
	}
}

func TestReadTellsOtherFormatsByName(t *testing.T) {
	for data, says := range map[string]string{
		"\xff\x0a rest":                                    "JPEG XL",
		"\x00\x00\x00\x0cJXL \r\n\x87\n":                   "JPEG XL",
		"\x00\x00\x00\x0cjP  \r\n\x87\n":                   "JPEG 2000",
		"\x1f\x8b\x08":                                     "gzip",
		"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom": "video",
		"  <?xml version='1.0'?><note/>":                   "an XML document",
	} {
		if _, err := probe.Read([]byte(data)); fault.ReasonOf(err) != probe.Unsupported || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: got %v, want %q", data, err, says)
		}
	}
}

// The pages of a TIFF may form a ring.
func TestReadEndsWithATIFFThatDoesNot(t *testing.T) {
	ring := []byte("II*\x00\x08\x00\x00\x00\x00\x00\x08\x00\x00\x00")
	if _, err := probe.Read(ring); fault.ReasonOf(err) != probe.Broken {
		t.Errorf("got %v", err)
	}
}

// Where the container says 16 x 16, the compressed bits still tell what a decoder will make room for.
func TestReadSeesThroughALyingContainer(t *testing.T) {
	for _, name := range []string{"photo.avif", "photo.heic"} {
		data := load(t, name)
		at := bytes.Index(data, []byte("ispe"))
		copy(data[at+8:], []byte{0, 0, 0, 16, 0, 0, 0, 16})
		if h, err := probe.Read(data); err != nil || h.Width != 16 || h.Coded != 640*480 {
			t.Errorf("%s: %+v, %v", name, h, err)
		}
	}
}

func TestWithoutText(t *testing.T) {
	bomb := load(t, "bad/text-bomb.png")
	lean := probe.WithoutText(bomb)
	if _, err := probe.Read(lean); err != nil || len(lean) > 1000 {
		t.Errorf("%d bytes are left, read with %v", len(lean), err)
	}
	if plain := load(t, "alpha.png"); len(probe.WithoutText(plain)) != len(plain) {
		t.Error("a PNG without comments was changed")
	}
}

func FuzzRead(f *testing.F) {
	names, err := filepath.Glob(filepath.Join(pictures, "*.*"))
	if err != nil || len(names) < 10 {
		f.Fatal(names, err)
	}
	for _, name := range names {
		if b, err := os.ReadFile(name); err == nil && len(b) < 60000 {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := probe.Read(data)
		if err != nil {
			if !fault.Is(err, fault.Invalid) || fault.ReasonOf(err) == "" {
				t.Fatalf("refused by %v", err)
			}
			return
		}
		if h.Format == probe.PNG {
			if _, err := probe.Read(probe.WithoutText(data)); err != nil {
				t.Fatalf("without its text: %v", err)
			}
		}
		if h.Width < 1 || h.Height < 1 || h.Frames < 1 || h.ContentType == "" {
			t.Fatalf("accepted as %+v", h)
		}
	})
}
