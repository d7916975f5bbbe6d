package probe

import "encoding/binary"

// Bitmap is where a BMP's pixels stand. Rows are filled up to four bytes.
type Bitmap struct {
	Width, Height int
	Offset        int // of the first row
	Stride        int // bytes
	Bits          int // a pixel: 24 (blue, green, red) or 32 (the same and a byte that is passed over)
	TopDown       bool
}

// readBMP takes what is not compressed and has 24 or 32 bits a pixel, as nearly all BMPs do.
func readBMP(data []byte) (Header, error) {
	b, err := ReadBitmap(data)
	return Header{Width: b.Width, Height: b.Height}, err
}

// ReadBitmap reads a whole BMP's outline.
func ReadBitmap(data []byte) (Bitmap, error) {
	if len(data) < 54 {
		return Bitmap{}, broken("the BMP ends inside its header")
	}
	word := func(at int) int { return int(int32(binary.LittleEndian.Uint32(data[at:]))) }
	b := Bitmap{Offset: word(10), Width: word(18), Height: word(22), Bits: int(binary.LittleEndian.Uint16(data[28:]))}
	if b.TopDown = b.Height < 0; b.TopDown {
		b.Height = -b.Height
	}
	const plain, masks = 0, 3
	how := word(30)
	switch {
	case word(14) < 40:
		return b, unsupported("it is a BMP of OS/2")
	case b.Bits != 24 && b.Bits != 32 || how != plain && (how != masks || b.Bits != 32 || !usual(data)):
		return b, unsupported("it is a BMP of a rare kind: only those without compression and with 24 or 32 bits a pixel are read")
	case b.Width < 1 || b.Height < 1 || b.Width > 1<<20 || b.Height > 1<<20:
		return b, broken("it says it is %d x %d pixels, which no picture is", b.Width, b.Height)
	}
	b.Stride = (b.Width*b.Bits + 31) / 32 * 4
	if b.Offset < 54 || int64(b.Offset)+int64(b.Stride)*int64(b.Height) > int64(len(data)) {
		return b, broken("the BMP ends before its last row")
	}
	return b, nil
}

// usual reports whether the masks say what there is without them: blue, green, red.
func usual(data []byte) bool {
	return len(data) >= 66 && binary.LittleEndian.Uint32(data[54:]) == 0xff0000 && binary.LittleEndian.Uint32(data[58:]) == 0xff00 &&
		binary.LittleEndian.Uint32(data[62:]) == 0xff
}
