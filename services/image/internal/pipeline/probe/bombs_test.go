package probe_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"slices"
	"strings"
	"testing"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/pipeline/probe"
)

func be16(n int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(n)) }
func be32(n int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) }

// box is one of the ISO base media file format.
func box(kind string, parts ...[]byte) []byte {
	body := slices.Concat(parts...)
	return slices.Concat(be32(8+len(body)), []byte(kind), body)
}

// withChunk puts a chunk behind a PNG's header.
func withChunk(png []byte, kind string, body []byte) []byte {
	typed := append([]byte(kind), body...)
	chunk := slices.Concat(be32(len(body)), typed, be32(int(crc32.ChecksumIEEE(typed))))
	return slices.Insert(slices.Clone(png), 33, chunk...)
}

// withSegments puts segments behind a JPEG's first two bytes.
func withSegments(jpeg []byte, marker byte, body []byte, times int) []byte {
	segment := slices.Concat([]byte{0xff, marker}, be16(2+len(body)), body)
	return slices.Insert(slices.Clone(jpeg), 2, bytes.Repeat(segment, times)...)
}

// items is a HEIC that names so many items, each of so many parts, which all are the same bytes. The first says that it is EXIF.
func items(count, parts int, bits []byte, properties ...[]byte) []byte {
	places := slices.Concat([]byte{1, 0, 0, 0, 0x44, 0}, be16(count))
	for i := range count {
		places = slices.Concat(places, be16(i), be16(1), be16(0), be16(parts), bytes.Repeat(slices.Concat(be32(0), be32(len(bits))), parts))
	}
	state := append([][]byte{box("ispe", make([]byte, 4), be32(16), be32(16))}, properties...)
	return slices.Concat(box("ftyp", []byte("heic\x00\x00\x00\x00heicmif1")),
		box("meta", make([]byte, 4), box("iinf", make([]byte, 4), be16(1), box("infe", []byte{2, 0, 0, 0}, be16(0), be16(0), []byte("Exif\x00"))), box("iloc", places), box("idat", bits), box("iprp", box("ipco", state...))))
}

// directory is a TIFF's.
func directory(next int, entries ...[]int) []byte {
	d := binary.LittleEndian.AppendUint16(nil, uint16(len(entries)))
	for _, e := range entries {
		d = binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(d, uint16(e[0])), uint16(e[1]))
		d = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(d, uint32(e[2])), uint32(e[3]))
	}
	return binary.LittleEndian.AppendUint32(d, uint32(next))
}

func deflated(n int) []byte {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = w.Write(make([]byte, n))
	_ = w.Close()
	return b.Bytes()
}

// What decoders would unfold or take apart before the first pixel is counted, so that limits can refuse it.
func TestReadCountsWhatComesBesidePixels(t *testing.T) {
	png, jpeg := load(t, "alpha.png"), load(t, "gray.jpg")
	scans := load(t, "progressive.jpg")
	last := bytes.LastIndex(scans, []byte{0xff, 0xda})
	scans = slices.Concat(scans[:len(scans)-2], bytes.Repeat(scans[last:len(scans)-2], 2), []byte{0xff, 0xd9})
	webp := load(t, "photo.webp")
	webp = slices.Concat(webp, []byte("ICCP"), []byte{0, 0, 16, 0}, make([]byte, 1<<20))
	binary.LittleEndian.PutUint32(webp[4:], uint32(len(webp)-8))
	tiff := slices.Concat([]byte("II*\x00\x08\x00\x00\x00"), directory(8+6+36, []int{256, 3, 1, 9}, []int{257, 3, 1, 7}, []int{34675, 7, 60, 0}),
		directory(0, []int{34675, 7, 100, 0}), make([]byte, 100))
	for name, c := range map[string]struct {
		data []byte
		want probe.Header
	}{
		"a packed profile": {withChunk(png, "iCCP", slices.Concat([]byte("p\x00\x00"), deflated(5<<20))),
			probe.Header{Format: "png", Width: 200, Height: 150, Profile: 5 << 20}},
		"a profile without an end": {withChunk(png, "iCCP", slices.Concat([]byte("p\x00\x00"), deflated(probe.MaxProfile+(9<<20)))),
			probe.Header{Format: "png", Width: 200, Height: 150, Profile: probe.MaxProfile + 1}},
		"a profile that is not packed": {withChunk(png, "iCCP", []byte("p\x00\x00what?")), probe.Header{Format: "png", Width: 200, Height: 150, Profile: 8}},
		"a profile in parts": {withSegments(jpeg, 0xe2, append([]byte("ICC_PROFILE\x00"), make([]byte, 65000)...), 80),
			probe.Header{Format: "jpeg", Width: 96, Height: 64, Scans: 1, Profile: 80 * 65012}},
		"a profile in a WebP": {webp, probe.Header{Format: "webp", Width: 640, Height: 480, Profile: 1 << 20, Exif: 9207}},
		"a profile in a TIFF": {tiff, probe.Header{Format: "tiff", Width: 9, Height: 7, Frames: 2, Profile: 100}},
		"EXIF in a HEIC":      {items(1, 20, make([]byte, 100<<10)), probe.Header{Format: "heic", Width: 16, Height: 16, Exif: 2000 << 10}},
		"a profile in a HEIC": {items(1, 1, []byte{0}, box("colr", []byte("prof"), make([]byte, 3000))), probe.Header{Format: "heic", Width: 16, Height: 16, Profile: 3000, Exif: 1}},
		"EXIF":                {withChunk(png, "eXIf", make([]byte, 2<<20)), probe.Header{Format: "png", Width: 200, Height: 150, Exif: 2 << 20}},
		"scans":               {scans, probe.Header{Format: "jpeg", Width: 640, Height: 480, Scans: 12, Coefficients: 478912}},
	} {
		c.want.ContentType, c.want.Frames = "image/"+c.want.Format, max(1, c.want.Frames)
		if h, err := probe.Read(c.data); err != nil || h != c.want {
			t.Errorf("%s: got %+v, %v; want %+v", name, h, err, c.want)
		}
	}
}

// Files that would cost this package itself seconds and gigabytes: lists whose entries stand upon each other.
func TestReadGivesUpOnListsWithoutAnEnd(t *testing.T) {
	units := bytes.Repeat([]byte{0, 0, 0, 16, 33 << 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 4096)
	var strips [][]int
	for range 1000 {
		strips = append(strips, []int{273, 1, 2 << 20, 0})
	}
	// Directories of 65535 entries, each 6 bytes behind the one before.
	pages := []byte("II*\x00\x08\x00\x00\x00")
	for range 20 {
		pages = append(pages, 0xff, 0xff, 0, 0, 0, 0)
	}
	pages = append(pages, make([]byte, 12*65535)...)
	for i := range 20 { // where the next one stands
		binary.LittleEndian.PutUint32(pages[8+6*i+2+12*65535:], uint32(8+6*i+6))
	}
	for name, c := range map[string]struct {
		data   []byte
		reason string
		says   string
	}{
		"items":          {items(1025, 1, []byte{0}), probe.TooLarge, "1025 parts"},
		"parts of parts": {items(1000, 32, units), probe.TooLarge, "parts of their own"},
		"strips":         {slices.Concat([]byte("II*\x00\x08\x00\x00\x00"), directory(0, strips...), make([]byte, 2<<20)), probe.Broken, "directory"},
		"directories":    {pages, probe.TooLarge, "1048576 entries"},
	} {
		began := time.Now()
		_, err := probe.Read(c.data)
		if fault.ReasonOf(err) != c.reason || !strings.Contains(err.Error(), c.says) || time.Since(began) > 5*time.Second {
			t.Errorf("%s: %v after %v, want %s", name, err, time.Since(began), c.reason)
		}
	}
}
