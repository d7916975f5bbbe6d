package rest

import (
	"errors"
	"io"
	"net/http"

	"calotype/gateway/internal/problem"
	"calotype/kit/fault"
)

// body is a request's body on its way through the runtime. It carries what the generated handlers would lose: why it could not be
// read, and the idempotency key that came in a header.
type body struct {
	io.ReadCloser
	key   string
	wrong error
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		err = fault.New(fault.Invalid, problem.TooLarge, "the JSON is too large; at most %d bytes are taken", large.Limit)
	}
	return n, err
}

type answerKey struct{}

// answer is the writer that the runtime sees. Once closed it takes no more.
type answer struct {
	http.ResponseWriter
	request *http.Request // as it came
	body    *body
	began   bool
	closed  bool
}

func (a *answer) WriteHeader(status int) {
	if !a.closed {
		a.began = true
		a.ResponseWriter.WriteHeader(status)
	}
}

func (a *answer) Write(p []byte) (int, error) {
	if a.closed {
		return len(p), nil
	}
	a.began = true
	return a.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController through.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
