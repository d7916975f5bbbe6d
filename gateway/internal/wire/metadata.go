package wire

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// Values reads one key of the metadata that a call came with. What is no metadata is left out.
func Values(h http.Header, key string) []string {
	said := h.Values(key)
	if !strings.HasSuffix(strings.ToLower(key), "-bin") {
		return said
	}
	var values []string
	for _, line := range said {
		for _, v := range strings.Split(line, ",") {
			if b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.TrimSpace(v), "=")); err == nil {
				values = append(values, string(b))
			}
		}
	}
	return values
}

// put writes metadata as headers, or trailers where prefix says so.
func put(h http.Header, prefix string, md metadata.MD) {
	for key, values := range md {
		name := http.CanonicalHeaderKey(key)
		if prefix == "" {
			h.Del(name)
		}
		for _, v := range values {
			if strings.HasSuffix(key, "-bin") {
				v = base64.RawStdEncoding.EncodeToString([]byte(v))
			}
			h[prefix+name] = append(h[prefix+name], v)
		}
	}
}

func putStatus(h http.Header, prefix string, st *status.Status) {
	h[prefix+"Grpc-Status"] = []string{strconv.Itoa(int(st.Code()))}
	if m := st.Message(); m != "" {
		h[prefix+"Grpc-Message"] = []string{escape(m)}
	}
	p := st.Proto()
	if len(p.GetDetails()) == 0 {
		return
	}
	if b, err := proto.Marshal(p); err == nil {
		h[prefix+"Grpc-Status-Details-Bin"] = []string{base64.RawStdEncoding.EncodeToString(b)}
	}
}

// Ended reads the status of an answer from its headers; none where it is none of gRPC.
func Ended(h http.Header) (code codes.Code, ok bool) {
	for _, prefix := range []string{http.TrailerPrefix, ""} {
		if v := h[prefix+"Grpc-Status"]; len(v) == 1 {
			n, err := strconv.ParseUint(v[0], 10, 32)
			return codes.Code(n), err == nil
		}
	}
	return 0, false
}

// escape writes a message as gRPC has it: what is no printable ASCII by percent.
func escape(m string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(m) {
		if c := m[i]; c >= ' ' && c <= '~' && c != '%' {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}
