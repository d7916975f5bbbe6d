package job

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"strings"

	"calotype/kit/fault"
	"github.com/oklog/ulid/v2"
)

// The sizes of a page.
const (
	DefaultPage = 50
	MaxPage     = 1000
)

// PageSize turns what a caller asked for into what is given; outside 0..MaxPage is fault.Invalid.
func PageSize(asked int) (int, error) {
	switch {
	case asked == 0:
		return DefaultPage, nil
	case asked < 0 || asked > MaxPage:
		e := fault.New(fault.Invalid, "BAD_PAGE_SIZE", "the page size is wrong")
		e.Fields = []fault.Field{{Path: "page_size", Message: "is not within 0..1000"}}
		return 0, e
	}
	return asked, nil
}

// PageToken says where the next page of a listing begins: after the item with this identifier. The listing (its name and its filters)
// is sealed into the token, so that a token is refused where another listing gave it.
func PageToken(listing, after string) string {
	id, err := ulid.ParseStrict(after[strings.IndexByte(after, '_')+1:])
	if err != nil {
		return ""
	}
	b := id.Bytes()
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint32(b, seal(listing, b)))
}

// ReadPageToken gives back the identifier under a prefix ("img_", "job_"), "" for the empty token, and fault.Invalid for a token
// that PageToken did not make for this listing.
func ReadPageToken(listing, prefix, token string) (string, error) {
	if token == "" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) != 20 || binary.BigEndian.Uint32(b[16:]) != seal(listing, b[:16]) {
		e := fault.New(fault.Invalid, "BAD_PAGE_TOKEN", "the page token is wrong")
		e.Fields = []fault.Field{{Path: "page_token", Message: "was not given by this listing with these filters"}}
		return "", e
	}
	return prefix + ulid.ULID(b[:16]).String(), nil
}

func seal(listing string, id []byte) uint32 {
	return crc32.ChecksumIEEE(append([]byte("calotype page 1:"+listing+":"), id...))
}
