// Package wire is gRPC's wire format over net/http: one call is one request, read and written message by message, as fast as the peer
// allows and no faster. grpc-go's own handler for net/http reads a request's body ahead without bound. It knows no method.
package wire

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"calotype/kit/fault"
)

const contentType = "application/grpc"

// Is reports whether a request speaks gRPC, over whatever version of HTTP. gRPC-Web is something else.
func Is(r *http.Request) bool {
	said := r.Header.Get("Content-Type")
	return strings.HasPrefix(said, contentType) && (len(said) == len(contentType) || said[len(contentType)] == '+' || said[len(contentType)] == ';')
}

// Subtype is how a request's messages are encoded, "" or "proto" where nothing else is said.
func Subtype(r *http.Request) string {
	said, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	_, sub, _ := strings.Cut(strings.TrimSpace(said), "+")
	return strings.ToLower(sub)
}

// Timeout reads how long the caller waits; no time where it does not say.
func Timeout(r *http.Request) (d time.Duration, said bool, err error) {
	v := r.Header.Get("Grpc-Timeout")
	if v == "" {
		return 0, false, nil
	}
	unit, ok := map[byte]time.Duration{'H': time.Hour, 'M': time.Minute, 'S': time.Second, 'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond}[v[len(v)-1]]
	n, err := strconv.ParseUint(v[:len(v)-1], 10, 64)
	if !ok || err != nil || len(v) > 9 {
		return 0, false, fault.New(fault.Invalid, "BAD_TIMEOUT", "grpc-timeout %.20q is not up to eight digits and a unit of HMSmun", v)
	}
	if n > uint64(1<<62)/uint64(unit) {
		return 0, false, nil // longer than anybody waits
	}
	return time.Duration(n) * unit, true, nil
}
