package probe

import "encoding/binary"

// maxPages bounds the walk through a TIFF's pages, whose links may form a ring.
const maxPages = 10000

// maxEntries bounds the entries of all pages together, which may stand upon each other, and maxParts the strips or tiles of a page: as
// many as 64 megapixels have in tiles of 16 x 16, in four planes.
const maxEntries, maxParts = 1 << 20, 1 << 20

// readTIFF walks the pages of a classic or big TIFF. The size is the first page's, whose strips or tiles must be in the file.
func readTIFF(data []byte) (Header, error) {
	var h Header
	t := tiff{data: data, order: binary.ByteOrder(binary.LittleEndian), entries: maxEntries}
	if data[0] == 'M' {
		t.order = binary.BigEndian
	}
	t.big = data[2] == '+' || data[3] == '+'
	next, ok := t.number(4, 4)
	if t.big {
		next, ok = t.number(8, 8)
	}
	for ok && next != 0 {
		if h.Frames++; h.Frames > maxPages {
			return h, broken("the TIFF's pages have no end")
		}
		var entries map[uint64][]uint64
		entries, next, ok = t.page(next, h.Frames == 1)
		if t.entries < 0 {
			return h, tooLarge("its directories have more than %d entries", maxEntries)
		}
		if len(entries[34675]) > 0 {
			h.Profile = max(h.Profile, int(min(entries[34675][0], uint64(len(data)))))
		}
		if !ok || h.Frames > 1 {
			continue
		}
		h.Width, h.Height = first(entries[256]), first(entries[257])
		for _, part := range [][2]uint64{{273, 279}, {324, 325}} { // strips, tiles: where and how long
			if err := t.inside(entries[part[0]], entries[part[1]]); err != nil {
				return h, err
			}
		}
	}
	if !ok {
		return h, broken("the TIFF ends inside its directory")
	}
	if h.Width > 1<<31-1 || h.Height > 1<<31-1 {
		return h, broken("it says it is %d x %d pixels, which no picture is", h.Width, h.Height)
	}
	return h, nil
}

type tiff struct {
	data  []byte
	order binary.ByteOrder
	big   bool
	// entries is how many may still be read.
	entries int
}

// number reads an unsigned number of 1, 2, 4 or 8 bytes.
func (t tiff) number(at uint64, bytes int) (uint64, bool) {
	if at > uint64(len(t.data)) || uint64(len(t.data))-at < uint64(bytes) {
		return 0, false
	}
	b := t.data[at:]
	switch bytes {
	case 1:
		return uint64(b[0]), true
	case 2:
		return uint64(t.order.Uint16(b)), true
	case 4:
		return uint64(t.order.Uint32(b)), true
	default:
		return t.order.Uint64(b), true
	}
}

// page reads one directory: how long its profile is, the other entries that matter when they are wanted, and where the next
// directory stands. Of entries that stand there twice it takes the first.
func (t *tiff) page(at uint64, wanted bool) (entries map[uint64][]uint64, next uint64, ok bool) {
	head, size, link := 2, uint64(12), 4
	if t.big {
		head, size, link = 8, 20, 8
	}
	count, ok := t.number(at, head)
	if !ok || count > 65535 {
		return nil, 0, false
	}
	at += uint64(head)
	entries = map[uint64][]uint64{}
	if t.entries -= int(count); t.entries < 0 {
		return nil, 0, false
	}
	for i := range count {
		tag, _ := t.number(at+i*size, 2)
		if entries[tag] != nil {
			continue
		}
		switch tag {
		case 34675:
			length, _ := t.number(at+i*size+4, int(size)/2-2) // 4 bytes, or 8
			entries[tag] = []uint64{length}
		case 256, 257, 273, 279, 324, 325:
			if !wanted {
				continue
			}
			if entries[tag], ok = t.values(at + i*size); !ok {
				return nil, 0, false
			}
		}
	}
	next, ok = t.number(at+count*size, link)
	return entries, next, ok
}

// values reads the numbers of one entry.
func (t tiff) values(entry uint64) ([]uint64, bool) {
	kind, _ := t.number(entry+2, 2)
	wide := map[uint64]int{1: 1, 3: 2, 4: 4, 13: 4, 16: 8, 18: 8}[kind]
	word, at := 4, entry+8
	if t.big {
		word, at = 8, entry+12
	}
	count, ok := t.number(entry+4, word)
	if !ok || wide == 0 || count > maxParts || count > uint64(len(t.data)) {
		return nil, false
	}
	if count*uint64(wide) > uint64(word) {
		if at, ok = t.number(at, word); !ok || at > uint64(len(t.data)) || count*uint64(wide) > uint64(len(t.data))-at {
			return nil, false
		}
	}
	values := make([]uint64, count)
	for i := range values {
		if values[i], ok = t.number(at+uint64(i*wide), wide); !ok {
			return nil, false
		}
	}
	return values, true
}

func (t tiff) inside(offsets, counts []uint64) error {
	for i := range min(len(offsets), len(counts)) {
		if offsets[i] > uint64(len(t.data)) || counts[i] > uint64(len(t.data))-offsets[i] {
			return broken("the TIFF's pixels lie past the end of the file")
		}
	}
	return nil
}

func first(v []uint64) int {
	if len(v) == 0 || v[0] > 1<<40 {
		return 0
	}
	return int(v[0])
}
