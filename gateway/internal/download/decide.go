package download

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// decision is what an answer will be, before any byte is fetched.
type decision struct {
	status         int
	offset, length int64
}

// errDecided stops http.ServeContent at the first byte it asks for.
var errDecided = errors.New("decided")

// decide has http.ServeContent weigh the request's conditions and range against size bytes with the ETag in header, and puts the
// answer's headers there. Several ranges at once are answered with the whole, as RFC 9110 allows, and so are ranges in other units
// than bytes, as it demands.
func decide(r *http.Request, header http.Header, modified time.Time, size int64) decision {
	if wanted := r.Header.Get("Range"); strings.Contains(wanted, ",") || !strings.HasPrefix(wanted, "bytes=") {
		r = r.Clone(r.Context())
		r.Header.Del("Range")
	}
	p := &probe{header: header, size: size}
	http.ServeContent(p, r, "", modified, p)
	d := decision{status: p.status, offset: p.start}
	d.length, _ = strconv.ParseInt(header.Get("Content-Length"), 10, 64) // ServeContent wrote it, or there is none
	return d
}

// probe stands for both ends of http.ServeContent: the writer, of whom it only learns, and the content, which has no bytes.
type probe struct {
	header http.Header
	status int
	size   int64
	start  int64
}

func (p *probe) Header() http.Header { return p.header }

func (p *probe) WriteHeader(status int) { p.status = status }

func (p *probe) Write([]byte) (int, error) { return 0, errDecided }

func (p *probe) Read([]byte) (int, error) { return 0, errDecided }

func (p *probe) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekEnd:
		return p.size + offset, nil
	case io.SeekStart:
		p.start = offset
	}
	return p.start, nil
}
