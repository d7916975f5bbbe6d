package probe

import "encoding/binary"

// readWebP walks the RIFF chunks. The size that RIFF states must be there; what follows it is not read.
func readWebP(data []byte) (Header, error) {
	var h Header
	if len(data) < 20 {
		return h, broken("the WebP ends inside its header")
	}
	end := int64(binary.LittleEndian.Uint32(data[4:])) + 8
	if end > int64(len(data)) {
		return h, broken("the WebP says it has %d bytes, but %d are there", end, len(data))
	}
	body := data[:end]
	var pixels, animated bool
	for at := 12; at+8 <= len(body); {
		kind, size := string(body[at:at+4]), int64(binary.LittleEndian.Uint32(body[at+4:]))
		if size > int64(len(body)-at-8) {
			return h, broken("the WebP ends inside its %q chunk", kind)
		}
		chunk := body[at+8 : at+8+int(size)]
		if err := webpChunk(&h, kind, chunk, &pixels, &animated); err != nil {
			return h, err
		}
		at += 8 + int(size) + int(size&1)
	}
	switch {
	case !pixels:
		return h, broken("the WebP holds no pixels")
	case h.Width == 0:
		return h, broken("the WebP does not state its size")
	}
	return h, nil
}

func webpChunk(h *Header, kind string, c []byte, pixels, animated *bool) error {
	switch kind {
	case "VP8X":
		if len(c) < 10 {
			return broken("the WebP's header is cut short")
		}
		*animated = c[0]&2 != 0
		h.Width, h.Height = 1+uint24(c[4:]), 1+uint24(c[7:])
	case "ICCP":
		h.Profile = max(h.Profile, len(c))
	case "EXIF":
		h.Exif = max(h.Exif, len(c))
	case "ANMF":
		if len(c) < 16+8 {
			return broken("the WebP ends inside frame %d", h.Frames+1)
		}
		h.Frames++
		*pixels = true
	case "VP8 ":
		if len(c) < 10 || c[3] != 0x9d || c[4] != 0x01 || c[5] != 0x2a {
			return broken("the WebP's pixels have no header")
		}
		*pixels = true
		return still(h, int(binary.LittleEndian.Uint16(c[6:])&0x3fff), int(binary.LittleEndian.Uint16(c[8:])&0x3fff), *animated)
	case "VP8L":
		if len(c) < 5 || c[0] != 0x2f {
			return broken("the WebP's pixels have no header")
		}
		h.Lossless = true
		bits := binary.LittleEndian.Uint32(c[1:])
		*pixels = true
		return still(h, int(bits&0x3fff)+1, int(bits>>14&0x3fff)+1, *animated)
	}
	return nil
}

// still takes the size that a picture's own bits state; it must be what the container said.
func still(h *Header, width, height int, animated bool) error {
	if h.Width != 0 && !animated && (h.Width != width || h.Height != height) {
		return broken("the WebP says it is %d x %d pixels and holds %d x %d", h.Width, h.Height, width, height)
	}
	if h.Width == 0 {
		h.Width, h.Height = width, height
	}
	return nil
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }
