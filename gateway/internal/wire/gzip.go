package wire

import (
	"compress/gzip"
	"errors"
	"io"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"

	"calotype/kit/buffers"
)

// unzip reads one compressed message, and stops at the limit, whatever it would come to.
func (c *Call) unzip(from io.Reader) (data mem.BufferSlice, err error) {
	z, err := gzip.NewReader(from)
	if err != nil {
		return nil, damaged(err)
	}
	pool := buffers.Pool
	for got := 0; ; {
		b := pool.Get(piece)
		n, err := io.ReadFull(z, *b)
		*b = (*b)[:n]
		got += n
		data = append(data, mem.NewBuffer(b, pool))
		switch {
		case got > c.cfg.MaxMessage:
			data.Free()
			return nil, c.tooLarge(-1)
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			if _, rest := io.Copy(io.Discard, from); z.Close() != nil || rest != nil {
				data.Free()
				return nil, damaged(rest)
			}
			return data, nil
		case err != nil:
			data.Free()
			return nil, damaged(err)
		}
	}
}

func damaged(err error) error {
	if err == nil || errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return status.Error(codes.Internal, "the message is not whole gzip")
	}
	return broken(err)
}
