package probe

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"io"
)

// readPNG walks the chunks up to IEND and checks the sums of those that carry the picture.
func readPNG(data []byte) (Header, error) {
	var h Header
	var pixels bool
	at := 8
	for at < len(data) {
		if len(data)-at < 12 {
			return h, broken("the PNG ends inside a chunk")
		}
		size := binary.BigEndian.Uint32(data[at:])
		kind := string(data[at+4 : at+8])
		if int64(size) > int64(len(data)-at-12) {
			return h, broken("the PNG ends inside its %q chunk", kind)
		}
		body := data[at+4 : at+8+int(size)]
		sum := binary.BigEndian.Uint32(data[at+8+int(size):])
		if kind[0] >= 'A' && kind[0] <= 'Z' && crc32.ChecksumIEEE(body) != sum {
			return h, broken("the PNG's %q chunk does not match its checksum", kind)
		}
		switch {
		case h.Width == 0:
			if kind != "IHDR" || size != 13 {
				return h, broken("the PNG does not begin with its header")
			}
			w, ht := binary.BigEndian.Uint32(body[4:]), binary.BigEndian.Uint32(body[8:])
			if w == 0 || ht == 0 || w > 1<<31-1 || ht > 1<<31-1 {
				return h, broken("it says it is %d x %d pixels, which no picture is", w, ht)
			}
			h.Width, h.Height = int(w), int(ht)
			h.Deep, h.Interlaced = body[12] > 8, body[16] != 0
		case kind == "iCCP" && h.Profile == 0: // decoders take the first
			h.Profile = unfolded(body[4:])
		case kind == "eXIf":
			h.Exif = max(h.Exif, int(size))
		case kind == "IDAT":
			pixels = true
		case kind == "IEND":
			if !pixels {
				return h, broken("the PNG holds no pixels")
			}
			return h, nil
		}
		at += 12 + int(size)
	}
	return h, broken("the PNG ends before its end chunk")
}

// MaxProfile is how much of a packed profile is looked at: no limit may let more through.
const MaxProfile = 16 << 20

// unfolded counts the bytes of a packed profile, which follows its name and a byte; what is not packed as it should be counts as it is.
func unfolded(chunk []byte) int {
	_, packed, _ := bytes.Cut(chunk, []byte{0})
	if len(packed) < 1 {
		return len(chunk)
	}
	r, err := zlib.NewReader(bytes.NewReader(packed[1:]))
	if err != nil {
		return len(chunk)
	}
	n, _ := io.Copy(io.Discard, io.LimitReader(r, MaxProfile+1)) // a decoder takes what comes before the damage
	return max(int(n), len(chunk))
}

// textKept is how much packed text a PNG may carry into a decoder.
const textKept = 16 << 10

// WithoutText gives a PNG that Read accepted without its packed comments, when there are so many that unfolding them could cost a decoder
// more than the picture: 64 KB of them unfold to 64 MB, and a file has room for a thousand times that.
func WithoutText(data []byte) []byte {
	text := 0
	chunks(data, func(kind string, chunk []byte) {
		if packed(kind, chunk) {
			text += len(chunk)
		}
	})
	if text <= textKept {
		return data
	}
	lean := append(make([]byte, 0, len(data)-text), data[:8]...)
	chunks(data, func(kind string, chunk []byte) {
		if !packed(kind, chunk) {
			lean = append(lean, chunk...)
		}
	})
	return lean
}

// packed reports whether a chunk is text that is compressed: a zTXt, or an iTXt with the flag set that follows its keyword.
func packed(kind string, chunk []byte) bool {
	if kind == "zTXt" {
		return true
	}
	end := bytes.IndexByte(chunk[8:], 0)
	return kind == "iTXt" && end >= 0 && end+9 < len(chunk) && chunk[end+9] != 0
}

func chunks(data []byte, f func(kind string, chunk []byte)) {
	for at := 8; at+12 <= len(data); {
		end := at + 12 + int(binary.BigEndian.Uint32(data[at:]))
		if end > len(data) {
			return
		}
		f(string(data[at+4:at+8]), data[at:end])
		at = end
	}
}
