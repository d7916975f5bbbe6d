package facts

import (
	"encoding/binary"
	"strings"
	"unicode/utf16"
)

// ProfileName is a colour profile's description (ICC.1:2010, 9.2.41): of profiles of version 2 a text, of version 4 the first of several
// languages'.
func ProfileName(profile []byte) string {
	d := description(profile)
	if len(d) < 12 {
		return ""
	}
	switch string(d[:4]) {
	case "desc":
		n := int(min(binary.BigEndian.Uint32(d[8:]), uint32(len(d)-12)))
		return text(strings.TrimRight(string(d[12:12+n]), "\x00"))
	case "mluc":
		if len(d) < 28 {
			return ""
		}
		n, at := uint64(binary.BigEndian.Uint32(d[20:])), uint64(binary.BigEndian.Uint32(d[24:]))
		if at+n > uint64(len(d)) {
			return ""
		}
		var units []uint16
		for i := at; i+1 < at+n; i += 2 {
			units = append(units, binary.BigEndian.Uint16(d[i:]))
		}
		return text(string(utf16.Decode(units)))
	}
	return ""
}

// description finds the tag's bytes.
func description(profile []byte) []byte {
	if len(profile) < 132 {
		return nil
	}
	for i := range min(binary.BigEndian.Uint32(profile[128:]), 256) {
		at := 132 + 12*int(i)
		if at+12 > len(profile) {
			return nil
		}
		if string(profile[at:at+4]) != "desc" {
			continue
		}
		from, n := uint64(binary.BigEndian.Uint32(profile[at+4:])), uint64(binary.BigEndian.Uint32(profile[at+8:]))
		if from+n > uint64(len(profile)) {
			return nil
		}
		return profile[from : from+n]
	}
	return nil
}
