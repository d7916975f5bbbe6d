package probe

import "bytes"

// readJPEG walks the markers up to the end of the image. What follows it (a second picture, a gain map, something foreign) is
// neither read nor an error: no decoder gets that far.
func readJPEG(data []byte) (Header, error) {
	var h Header
	at := 2
	for {
		for at < len(data) && data[at] != 0xff { // garbage between segments, which decoders skip
			at++
		}
		for at < len(data) && data[at] == 0xff { // any number of fill bytes
			at++
		}
		if at >= len(data) {
			return h, broken("the JPEG ends before its end marker")
		}
		marker := data[at]
		at++
		switch {
		case marker == 0xd9: // EOI
			if h.Width == 0 || h.Scans == 0 {
				return h, broken("the JPEG ends before any picture began")
			}
			if h.Scans == 1 {
				h.Coefficients = 0
			}
			return h, nil
		case marker == 0 || marker == 1 || marker >= 0xd0 && marker <= 0xd8: // no length: stuffing, TEM, RST, SOI
			continue
		}
		if at+2 > len(data) {
			return h, broken("the JPEG ends inside its header")
		}
		size := int(data[at])<<8 | int(data[at+1])
		if size < 2 || at+size > len(data) {
			return h, broken("a segment of the JPEG runs past its end")
		}
		segment := data[at+2 : at+size]
		at += size
		switch {
		case marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc: // SOF
			if err := frameHeader(&h, marker, segment); err != nil {
				return h, err
			}
		case marker == 0xda: // SOS
			if h.Width == 0 {
				return h, broken("the JPEG's pixels come before its size")
			}
			h.Scans++
			at = entropyEnd(data, at)
		case marker == 0xe1 && bytes.HasPrefix(segment, []byte("Exif\x00")):
			h.Exif = max(h.Exif, len(segment))
		case marker == 0xe2 && bytes.HasPrefix(segment, []byte("ICC_PROFILE\x00")): // in parts
			h.Profile += len(segment)
		}
	}
}

func frameHeader(h *Header, marker byte, s []byte) error {
	switch {
	case h.Width != 0:
		return broken("the JPEG states its size twice")
	case marker > 0xc2:
		return unsupported("it is a JPEG of a rare kind (lossless, hierarchical or arithmetic)")
	case len(s) < 6 || len(s) < 6+3*int(s[5]) || s[5] == 0:
		return broken("the JPEG's frame header is cut short")
	}
	h.Height, h.Width = int(s[1])<<8|int(s[2]), int(s[3])<<8|int(s[4])
	h.Coefficients = coefficients(s, int64(h.Width), int64(h.Height))
	if h.Width == 0 || h.Height == 0 {
		return broken("it says it is %d x %d pixels, which no picture is", h.Width, h.Height)
	}
	return nil
}

// coefficients adds those of a frame's components up. A component has less than the picture where others are sampled more often.
func coefficients(s []byte, width, height int64) (sum int64) {
	across, down := int64(1), int64(1)
	for i := range int(s[5]) {
		across, down = max(across, int64(s[7+3*i]>>4)), max(down, int64(s[7+3*i]&15))
	}
	for i := range int(s[5]) {
		blocks := func(side, factor, most int64) int64 { return (side*factor/most + 15) / 8 }
		sum += 64 * blocks(width, int64(s[7+3*i]>>4), across) * blocks(height, int64(s[7+3*i]&15), down)
	}
	return sum
}

// entropyEnd finds the marker after a scan's data.
func entropyEnd(data []byte, at int) int {
	for {
		i := bytes.IndexByte(data[at:], 0xff)
		if i < 0 || at+i+1 >= len(data) {
			return len(data)
		}
		at += i
		if m := data[at+1]; m != 0 && m != 0xff && (m < 0xd0 || m > 0xd7) {
			return at
		}
		at++
	}
}
