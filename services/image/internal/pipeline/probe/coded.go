package probe

// coded is what is needed to tell how large a file's items really are. The containers of AVIF and HEIC state a picture's size, and so do
// the compressed bits in them. Decoders believe the bits, whatever they make room for, so those are looked into as well. What is not
// understood counts for nothing; the decoder refuses it later.
type coded struct {
	extents    map[uint64][][]byte // of an item
	properties []box
	uses       map[uint64][]int // of an item: its properties, counted from 1
	// left is how many more units are looked at, which may stand upon each other; below 0 they were too many.
	left int
}

// maxLooks is 64 for each item of which there may be.
const maxLooks = 64 * maxItems

// pixels gives the larger of the largest item and of the sum of those of which others are put together: a tile is decoded as often as
// it is used.
func (c *coded) pixels(iref []byte) (most int64) {
	size := map[uint64]int64{}
	for item := range c.extents {
		size[item] = c.item(item)
		most = max(most, size[item])
	}
	if len(iref) < 4 {
		return most
	}
	wide := 2
	if iref[0] > 0 {
		wide = 4
	}
	references, err := boxes(iref[4:], false)
	if err != nil {
		return most
	}
	sum := int64(0)
	for _, ref := range references {
		r := reader{b: ref.body}
		r.uint(wide)
		for n := r.uint(2); n > 0 && c.look() && !r.short && ref.kind == "dimg"; n-- {
			if sum += size[r.uint(wide)]; sum > 1<<62 {
				return sum
			}
		}
	}
	return max(most, sum)
}

func (c *coded) item(id uint64) (most int64) {
	for _, i := range c.uses[id] {
		if !c.look() {
			return most
		}
		if i < 1 || i > len(c.properties) {
			continue
		}
		switch b := c.properties[i-1]; {
		case b.kind == "av1C" && len(b.body) > 4:
			most = max(most, c.av1Pixels(b.body[4:]))
		case b.kind == "hvcC":
			most = max(most, c.hvccPixels(b.body))
		}
	}
	for _, e := range c.extents[id] {
		most = max(most, c.av1Pixels(e), c.nalPixels(e))
	}
	return min(most, 1<<40)
}

// look counts what is looked at.
func (c *coded) look() bool { c.left--; return c.left >= 0 }

// associations reads which properties an item has (ISO/IEC 23008-12, 9.3).
func (c *coded) associations(b []byte) map[uint64][]int {
	found := map[uint64][]int{}
	r := reader{b: b}
	version, flags := r.uint(1), r.uint(3)
	wide, index := 2, 1
	if version > 0 {
		wide = 4
	}
	if flags&1 != 0 {
		index = 2
	}
	for items := r.uint(4); items > 0 && !r.short; items-- {
		item := r.uint(wide)
		for n := r.uint(1); n > 0 && c.look() && !r.short; n-- {
			found[item] = append(found[item], int(r.uint(index)&(1<<(8*index-1)-1))) // the first bit says "essential"
		}
	}
	return found
}
