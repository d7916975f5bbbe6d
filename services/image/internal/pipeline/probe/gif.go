package probe

import "encoding/binary"

// readGIF walks the blocks up to the trailer and counts the frames.
func readGIF(data []byte) (Header, error) {
	var h Header
	if len(data) < 13 {
		return h, broken("the GIF ends inside its header")
	}
	h.Width, h.Height = int(binary.LittleEndian.Uint16(data[6:])), int(binary.LittleEndian.Uint16(data[8:]))
	at := 13 + table(data[10])
	for at < len(data) {
		switch data[at] {
		case ';':
			if h.Frames == 0 {
				return h, broken("the GIF holds no picture")
			}
			return h, nil
		case '!': // extension: a label, then sub-blocks
			at = blocks(data, at+2)
		case ',': // a frame: its place, its colours, its code size, then sub-blocks
			if len(data)-at < 11 {
				return h, broken("the GIF ends inside frame %d", h.Frames+1)
			}
			right := int(binary.LittleEndian.Uint16(data[at+1:])) + int(binary.LittleEndian.Uint16(data[at+5:]))
			bottom := int(binary.LittleEndian.Uint16(data[at+3:])) + int(binary.LittleEndian.Uint16(data[at+7:]))
			h.Frames++
			if h.Frames == 1 { // decoders let the first frame enlarge the screen
				h.Width, h.Height = max(h.Width, right), max(h.Height, bottom)
			}
			at = blocks(data, at+11+table(data[at+9]))
		default:
			return h, broken("the GIF holds an unknown block after frame %d", h.Frames)
		}
		if at < 0 {
			return h, broken("the GIF ends inside frame %d", max(h.Frames, 1))
		}
	}
	return h, broken("the GIF ends before its trailer")
}

// table gives the size of a colour table from its flags.
func table(flags byte) int {
	if flags&0x80 == 0 {
		return 0
	}
	return 3 << (flags&7 + 1)
}

// blocks skips sub-blocks and returns what comes after them, or -1.
func blocks(data []byte, at int) int {
	for at >= 0 && at < len(data) {
		size := int(data[at])
		at += 1 + size
		if size == 0 {
			return at
		}
	}
	return -1
}
