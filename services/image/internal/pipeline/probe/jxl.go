package probe

import "encoding/binary"

// readJXL reads the size header of the codestream (ISO/IEC 18181-1, A.3), bare or in the boxes of a file.
func readJXL(data []byte) (Header, error) {
	stream := data
	if data[0] == 0 {
		if stream = codestream(data); stream == nil {
			return Header{}, broken("the JPEG XL holds no pixels")
		}
	}
	if len(stream) < 12 || stream[0] != 0xff || stream[1] != 0x0a {
		return Header{}, broken("the JPEG XL ends inside its header")
	}
	b := lowBits{data: stream[2:]}
	small := b.take(1) == 1
	side := func() int {
		if small {
			return int(b.take(5)+1) * 8
		}
		return int(b.take([]int{9, 13, 18, 30}[b.take(2)]) + 1)
	}
	var h Header
	h.Height = side()
	if ratio := b.take(3); ratio == 0 {
		h.Width = side()
	} else {
		by := [][2]int{{1, 1}, {12, 10}, {4, 3}, {3, 2}, {16, 9}, {5, 4}, {2, 1}}[ratio-1]
		h.Width = h.Height * by[0] / by[1]
	}
	return h, nil
}

// codestream finds the box with the pixels, or the first of several.
func codestream(data []byte) []byte {
	for at := uint64(0); at+8 <= uint64(len(data)); {
		size, head := uint64(binary.BigEndian.Uint32(data[at:])), uint64(8)
		if size == 1 && at+16 <= uint64(len(data)) {
			size, head = binary.BigEndian.Uint64(data[at+8:]), 16
		}
		if size == 0 {
			size = uint64(len(data)) - at
		}
		if size < head || size > uint64(len(data))-at {
			return nil
		}
		switch string(data[at+4 : at+8]) {
		case "jxlc":
			return data[at+head : at+size]
		case "jxlp":
			return data[min(at+head+4, at+size) : at+size] // after its number
		}
		at += size
	}
	return nil
}

// lowBits reads bits from the lowest on; after the end there are zeros.
type lowBits struct {
	data []byte
	at   int
}

func (b *lowBits) take(n int) (v uint32) {
	for i := range n {
		if k := b.at >> 3; k < len(b.data) {
			v |= uint32(b.data[k]>>(b.at&7)&1) << i
		}
		b.at++
	}
	return v
}
