// Package flow moves bytes between HTTP and RPC streams with flat memory, and gives up on a peer that stalls. It knows neither
// routes nor services.
package flow

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"calotype/gateway/internal/problem"
	"calotype/kit/fault"
)

// ChunkSize is how much of an upload one RPC message carries.
const ChunkSize = 256 << 10

// slice is how much is written under one deadline, so that a slow client that still takes bytes is not taken for a dead one.
const slice = 64 << 10

// Body reads a request's body and fails when no byte comes for as long as patience.
type Body struct {
	r        io.Reader
	control  *http.ResponseController
	patience time.Duration
}

// NewBody reads r's body, at most limit bytes of it. More than that fails as TOO_LARGE, and the connection is closed.
func NewBody(w http.ResponseWriter, r *http.Request, limit int64, patience time.Duration) *Body {
	return &Body{r: http.MaxBytesReader(w, r.Body, limit), control: http.NewResponseController(w), patience: patience}
}

// Read fails with a *fault.Error, or io.EOF at the end of a whole body.
func (b *Body) Read(p []byte) (int, error) {
	_ = b.control.SetReadDeadline(time.Now().Add(b.patience)) // a test's writer may have none
	n, err := b.r.Read(p)
	if err == io.EOF {
		_ = b.control.SetReadDeadline(time.Time{}) // what follows takes its own time
		return n, io.EOF
	}
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		return n, nil
	case errors.As(err, &tooLarge):
		return n, TooLarge(tooLarge.Limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return n, fault.Wrap(err, fault.Invalid, problem.Stalled, "no byte came for %v", b.patience)
	}
	return n, fault.Wrap(err, fault.Canceled, "", "the request broke off")
}

// TooLarge is the fault of a body past its limit.
func TooLarge(limit int64) error {
	return fault.New(fault.Invalid, problem.TooLarge, "the file is too large; at most %d bytes are taken", limit)
}

// Fill reads until p is full or r ends. It differs from io.ReadFull in giving r's own error, so that a source that was cut off
// is never taken for one that ended.
func Fill(r io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var m int
		m, err = r.Read(p[n:])
		n += m
	}
	return n, err
}

// Send answers with the chunks, none of them empty, that recv gives until io.EOF. The last byte goes out only after the end was seen, so
// that a stream that fails in its very end, for its digest was wrong, is never a whole answer. header is called before the first
// byte, after recv has given something; an error before that is returned and nothing is written, one after it breaks the answer off.
func Send(w http.ResponseWriter, r *http.Request, patience time.Duration, header func(), recv func() ([]byte, error)) error {
	control := http.NewResponseController(w)
	chunk, err := recv()
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	header()
	var last []byte // of the chunk before
	put := func(p []byte) {
		if err := write(w, control, patience, p); err != nil {
			problem.Abort(r, fault.Wrap(err, fault.Canceled, "", "the client takes no more"))
		}
	}
	for err == nil {
		put(last)
		n := len(chunk) - 1
		put(chunk[:n])
		last = []byte{chunk[n]}
		chunk, err = recv()
	}
	if !errors.Is(err, io.EOF) {
		problem.Abort(r, err)
	}
	put(last)
	_ = control.SetWriteDeadline(time.Time{})
	return nil
}

func write(w io.Writer, control *http.ResponseController, patience time.Duration, p []byte) error {
	for len(p) > 0 {
		n := min(len(p), slice)
		_ = control.SetWriteDeadline(time.Now().Add(patience)) // a test's writer may have none
		if _, err := w.Write(p[:n]); err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}
