package pipeline

import (
	"bytes"
	"encoding/binary"
)

// bareJPEG takes EXIF out of a JPEG that keeps its profile: libvips before 8.15 writes one of its own making beside it.
func bareJPEG(data []byte) []byte {
	const marker, exif, scan = 0xff, 0xe1, 0xda
	for at := 2; at+4 <= len(data) && data[at] == marker && data[at+1] != scan; {
		end := at + 2 + int(binary.BigEndian.Uint16(data[at+2:]))
		if data[at+1] == exif && end <= len(data) {
			return bytes.Join([][]byte{data[:at], data[end:]}, nil)
		}
		at = end
	}
	return data
}
