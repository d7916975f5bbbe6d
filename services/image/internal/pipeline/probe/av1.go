package probe

// av1Pixels walks a stream of OBUs for sequence headers (AV1 specification, 5.3 and 5.5.1).
func (c *coded) av1Pixels(b []byte) (most int64) {
	for steps := 0; len(b) > 1 && steps < 256 && c.look(); steps++ {
		head := b[0]
		if head&0x80 != 0 || head&2 == 0 { // forbidden bit; without a size it runs to the end
			if head&0x80 == 0 && head>>3&15 == 1 {
				most = max(most, sequencePixels(b[1:]))
			}
			return most
		}
		at := 1 + int(head>>2&1) // an extension byte
		size, n := leb128(b[min(at, len(b)):])
		if n == 0 || size > uint64(len(b)-at-n) {
			return most
		}
		body := b[at+n : at+n+int(size)]
		if head>>3&15 == 1 {
			most = max(most, sequencePixels(body))
		}
		b = b[at+n+int(size):]
	}
	return most
}

func leb128(b []byte) (v uint64, n int) {
	for n < len(b) && n < 8 {
		v |= uint64(b[n]&0x7f) << (7 * n)
		n++
		if b[n-1]&0x80 == 0 {
			return v, n
		}
	}
	return 0, 0
}

func sequencePixels(b []byte) int64 {
	r := bits{b: b}
	r.take(3 + 1) // profile, still picture
	if r.take(1) == 1 {
		r.take(5) // reduced header: a level, and no more
	} else {
		decoderModel, delay := uint64(0), 0
		if r.take(1) == 1 { // timing
			r.take(32)
			r.take(32)
			if r.take(1) == 1 {
				r.golomb()
			}
			if decoderModel = r.take(1); decoderModel == 1 {
				delay = int(r.take(5)) + 1
				r.take(32 + 5 + 5)
			}
		}
		initial := r.take(1)
		for points := int(r.take(5)) + 1; points > 0; points-- {
			r.take(12)
			if r.take(5) > 7 {
				r.take(1)
			}
			if decoderModel == 1 && r.take(1) == 1 {
				r.take(delay)
				r.take(delay + 1)
			}
			if initial == 1 && r.take(1) == 1 {
				r.take(4)
			}
		}
	}
	across, down := int(r.take(4))+1, int(r.take(4))+1
	w, h := r.take(across)+1, r.take(down)+1
	return r.area(w, h)
}
