package pipeline

import "encoding/binary"

// bareWebP takes EXIF, XMP and, unless it is needed, the profile out of a WebP: libvips before 8.15 writes an EXIF of its own making whatever it is told.
func bareWebP(data []byte, profile bool) []byte {
	const head = 12
	if len(data) < head {
		return data
	}
	gone := byte(0x20 | 0x08 | 0x04) // the flags that announce them
	if profile {
		gone &^= 0x20
	}
	out := append(make([]byte, 0, len(data)), data[:head]...)
	for at := head; at+8 <= len(data); {
		kind, size := string(data[at:at+4]), int(binary.LittleEndian.Uint32(data[at+4:]))
		end := min(at+8+size+size&1, len(data))
		switch {
		case kind == "EXIF", kind == "XMP ", kind == "ICCP" && !profile:
		case kind == "VP8X":
			out = append(out, data[at:end]...)
			out[len(out)-(end-at)+8] &^= gone
		default:
			out = append(out, data[at:end]...)
		}
		at = end
	}
	binary.LittleEndian.PutUint32(out[4:], uint32(len(out)-8))
	return out
}
