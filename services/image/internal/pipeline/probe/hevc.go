package probe

import "encoding/binary"

// hvccPixels reads the parameter sets of an hvcC box (ISO/IEC 14496-15, 8.3.3.1).
func (c *coded) hvccPixels(b []byte) (most int64) {
	r := reader{b: b}
	if len(b) < 23 {
		return 0
	}
	r.b = b[22:]
	for arrays := r.uint(1); arrays > 0 && !r.short; arrays-- {
		r.uint(1)
		for units := r.uint(2); units > 0 && c.look() && !r.short; units-- {
			size := int(r.uint(2))
			if size > len(r.b) {
				return most
			}
			most = max(most, spsPixels(r.b[:size]))
			r.b = r.b[size:]
		}
	}
	return most
}

// nalPixels walks NAL units that are preceded by their length in 4 bytes.
func (c *coded) nalPixels(b []byte) (most int64) {
	for steps := 0; len(b) > 6 && steps < 4096 && c.look(); steps++ {
		size := binary.BigEndian.Uint32(b)
		if size == 0 || uint64(size) > uint64(len(b)-4) {
			return most
		}
		most = max(most, spsPixels(b[4:4+int(size)]))
		b = b[4+int(size):]
	}
	return most
}

// spsPixels reads a sequence parameter set (ITU-T H.265, 7.3.2.2); other units have no size.
func spsPixels(unit []byte) int64 {
	if len(unit) < 16 || unit[0]>>1&63 != 33 {
		return 0
	}
	plain := make([]byte, 0, 256) // without the bytes that keep start codes from appearing
	for i := 2; i < len(unit) && len(plain) < 256; i++ {
		if unit[i] == 3 && i >= 4 && unit[i-1] == 0 && unit[i-2] == 0 {
			continue
		}
		plain = append(plain, unit[i])
	}
	r := bits{b: plain}
	r.take(4)
	layers := int(r.take(3))
	r.take(1)
	r.take(32)
	r.take(32)
	r.take(32) // the general profile, tier and level: 96 bits
	var profiles, levels [8]uint64
	for i := range layers {
		profiles[i], levels[i] = r.take(1), r.take(1)
	}
	if layers > 0 {
		r.take(2 * (8 - layers))
	}
	for i := range layers {
		if profiles[i] == 1 {
			r.take(44)
			r.take(44)
		}
		if levels[i] == 1 {
			r.take(8)
		}
	}
	r.golomb()
	if r.golomb() == 3 {
		r.take(1)
	}
	w, h := r.golomb(), r.golomb()
	return r.area(w, h)
}
