package probe

// bits takes numbers bit by bit and remembers when there were too few.
type bits struct {
	b     []byte
	at    int
	short bool
}

func (r *bits) take(n int) (v uint64) {
	for ; n > 0; n-- {
		if r.at >= 8*len(r.b) {
			r.short = true
			return 0
		}
		v = v<<1 | uint64(r.b[r.at/8]>>(7-r.at%8)&1)
		r.at++
	}
	return v
}

// golomb reads an Exp-Golomb number, which AV1 and HEVC share.
func (r *bits) golomb() uint64 {
	zeros := 0
	for r.take(1) == 0 {
		if zeros++; zeros > 32 || r.short {
			r.short = true
			return 0
		}
	}
	return 1<<zeros - 1 + r.take(zeros)
}

func (r *bits) area(w, h uint64) int64 {
	if r.short || w > 1<<31 || h > 1<<31 {
		return 0
	}
	return int64(min(w*h, 1<<62))
}
