package probe

import (
	"encoding/binary"
	"slices"
)

// brand tells AVIF and HEIC apart by the brands of the ftyp box; "" for anything else.
func brand(data []byte) string {
	size := int(min(binary.BigEndian.Uint32(data), uint32(len(data))))
	var brands []string
	for at := 8; at+4 <= size && at < 8+4*64; at += 4 {
		if at != 12 { // the minor version
			brands = append(brands, string(data[at:at+4]))
		}
	}
	has := func(names ...string) bool {
		return slices.ContainsFunc(brands, func(b string) bool { return slices.Contains(names, b) })
	}
	switch {
	case has("avif", "avis"):
		return AVIF
	case has("heic", "heix", "heim", "heis", "hevc", "hevx"):
		return HEIC
	}
	return ""
}

// box is one box of the ISO base media file format.
type box struct {
	kind string
	body []byte
}

// boxes splits data; every box must lie inside it. At the top of a file a box may run to the end.
func boxes(data []byte, top bool) ([]box, error) {
	var found []box
	for at := 0; at < len(data); {
		if len(data)-at < 8 {
			return nil, broken("it ends inside the header of a box")
		}
		size, head := uint64(binary.BigEndian.Uint32(data[at:])), 8
		kind := string(data[at+4 : at+8])
		switch {
		case size == 1 && len(data)-at >= 16:
			size, head = binary.BigEndian.Uint64(data[at+8:]), 16
		case size == 0 && top:
			size = uint64(len(data) - at)
		}
		if size < uint64(head) || size > uint64(len(data)-at) {
			if top && len(found) > 0 && !printable(kind) {
				return found, nil // something foreign behind the last box
			}
			return nil, broken("its %q box runs past the end", kind)
		}
		found = append(found, box{kind, data[at+head : at+int(size)]})
		if len(found) > 4096 {
			return nil, broken("it has too many boxes")
		}
		at += int(size)
	}
	return found, nil
}

func printable(kind string) bool {
	return !slices.ContainsFunc([]byte(kind), func(c byte) bool { return c < ' ' || c > '~' })
}

// readBMFF checks the boxes of an AVIF or HEIC and takes the largest size that any of its items states: for the tiles
// of a grid the grid itself says more than a tile.
func readBMFF(data []byte) (Header, error) {
	var h Header
	top, err := boxes(data, true)
	if err != nil {
		return h, err
	}
	meta := find(top, "meta")
	if len(meta) < 4 {
		return h, broken("it describes no picture")
	}
	inner, err := boxes(meta[4:], false)
	if err != nil {
		return h, err
	}
	var extents map[uint64][][]byte
	if at := find(inner, "iloc"); at != nil {
		if extents, err = locations(at, data, find(inner, "idat")); err != nil {
			return h, err
		}
	}
	properties, err := boxes(find(inner, "iprp"), false)
	if err != nil {
		return h, err
	}
	items, err := boxes(find(properties, "ipco"), false)
	if err != nil {
		return h, err
	}
	for _, b := range items {
		if b.kind == "ispe" && len(b.body) >= 12 {
			w, ht := binary.BigEndian.Uint32(b.body[4:]), binary.BigEndian.Uint32(b.body[8:])
			if uint64(w)*uint64(ht) > uint64(h.Pixels()) {
				h.Width, h.Height = int(w), int(ht)
			}
		}
	}
	if h.Width == 0 {
		return h, broken("it does not state its size")
	}
	for _, b := range items {
		if b.kind == "colr" && len(b.body) > 4 && (string(b.body[:4]) == "prof" || string(b.body[:4]) == "rICC") {
			h.Profile = max(h.Profile, len(b.body)-4)
		}
		h.Deep = h.Deep || deep(b)
	}
	if h.Exif, err = exifOf(find(inner, "iinf"), extents); err != nil {
		return h, err
	}
	c := coded{extents: extents, properties: items, left: maxLooks}
	c.uses = c.associations(find(properties, "ipma"))
	if h.Coded = c.pixels(find(inner, "iref")); c.left < 0 {
		return h, tooLarge("its parts have too many parts of their own")
	}
	return h, nil
}

// deep reports whether the description of a decoder says that pixels have more than 8 bits (AV1 in ISOBMFF, 2.3.3; ISO/IEC 14496-15, 8.3.3.1).
func deep(b box) bool {
	return b.kind == "av1C" && len(b.body) > 2 && b.body[2]&0x40 != 0 || b.kind == "hvcC" && len(b.body) > 18 && b.body[17]&7 > 0
}

// exifOf gives the bytes of the longest item that says it is EXIF.
func exifOf(iinf []byte, extents map[uint64][][]byte) (most int, err error) {
	wide := 2
	if len(iinf) > 6 && iinf[0] > 0 {
		wide = 4
	}
	if len(iinf) < 4+wide {
		return 0, nil
	}
	entries, err := boxes(iinf[4+wide:], false)
	if err != nil {
		return 0, err
	}
	for _, b := range entries {
		r := reader{b: b.body}
		version, wide := r.uint(1), 2
		if version > 2 {
			wide = 4
		}
		r.uint(3)
		item := r.uint(wide)
		r.uint(2)
		if b.kind != "infe" || version < 2 || len(r.b) < 4 || string(r.b[:4]) != "Exif" {
			continue
		}
		size := 0
		for _, e := range extents[item] {
			size += len(e)
		}
		most = max(most, size)
	}
	return most, nil
}

func find(in []box, kind string) []byte {
	for _, b := range in {
		if b.kind == kind {
			return b.body
		}
	}
	return nil
}

// maxItems bounds the items of a file. 64 megapixels are 244 in tiles of 512 x 512, and a few for thumbnails and maps.
const maxItems = 1024

// locations gives the bytes of every item, and checks that they are there.
func locations(b, data, idat []byte) (map[uint64][][]byte, error) {
	extents := map[uint64][][]byte{}
	r := reader{b: b}
	version := r.uint(1)
	r.uint(3)
	sizes := r.uint(2)
	offset, length, base, index := int(sizes>>12&15), int(sizes>>8&15), int(sizes>>4&15), int(sizes&15)
	if version == 0 {
		index = 0
	}
	wide := 2
	if version == 2 {
		wide = 4
	}
	most := 1 << 16 // extents in all: with sizes of 0 they cost no bytes
	n := r.uint(wide)
	if n > maxItems && !r.short {
		return nil, tooLarge("it has %d parts, where at most %d are accepted", n, maxItems)
	}
	for ; n > 0 && !r.short; n-- {
		item, method := r.uint(wide), uint64(0)
		if version > 0 {
			method = r.uint(2) & 15
		}
		r.uint(2)
		from := r.uint(base)
		in := data
		if method == 1 {
			in = idat
		}
		for count := r.uint(2); count > 0 && !r.short; count-- {
			if most--; most < 0 {
				return nil, broken("it has too many parts")
			}
			r.uint(index)
			at, size := from+r.uint(offset), r.uint(length)
			switch {
			case method > 1:
			case at > uint64(len(in)) || size > uint64(len(in))-at:
				return nil, broken("its pixels lie past the end of the file")
			default:
				extents[item] = append(extents[item], in[at:at+size])
			}
		}
	}
	if r.short {
		return nil, broken("it ends inside the list of its parts")
	}
	return extents, nil
}

// reader takes big-endian numbers of 0 to 8 bytes and remembers when there were too few.
type reader struct {
	b     []byte
	short bool
}

func (r *reader) uint(bytes int) (v uint64) {
	if len(r.b) < bytes {
		r.short, r.b = true, nil
		return 0
	}
	for _, c := range r.b[:bytes] {
		v = v<<8 | uint64(c)
	}
	r.b = r.b[bytes:]
	return v
}
