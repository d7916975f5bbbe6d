package pipeline

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
)

// mended gives each chunk of a PNG the checksum of what it holds, so that what was changed in it comes as far as the decoder.
func mended(data []byte) []byte {
	data = slices.Clone(data)
	for at := 8; at+12 <= len(data); {
		length := int(binary.BigEndian.Uint32(data[at:]))
		end := at + 8 + length
		if end+4 > len(data) {
			break
		}
		binary.BigEndian.PutUint32(data[end:], crc32.ChecksumIEEE(data[at+4:end]))
		at = end + 4
	}
	return data
}
