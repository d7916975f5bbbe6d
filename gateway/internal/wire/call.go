package wire

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"calotype/kit/buffers"
	"calotype/kit/fault"
	"calotype/kit/rpc"
)

// Config bounds a call.
type Config struct {
	MaxMessage int           // of what is received, decompressed
	Patience   time.Duration // how long a client may take no byte
}

// Call is one gRPC call. One goroutine may receive while another sends.
type Call struct {
	cfg     Config
	w       http.ResponseWriter
	r       *http.Request
	control *http.ResponseController
	zipped  bool
	prefix  [5]byte
	began   bool
	sending [5]byte
	watch   *time.Timer
	stalled atomic.Bool
}

// New makes a call of a request that Is gRPC on HTTP/2.
func New(w http.ResponseWriter, r *http.Request, cfg Config) (*Call, error) {
	c := &Call{cfg: cfg, w: w, r: r, control: http.NewResponseController(w)}
	if r.Method != http.MethodPost {
		return c, status.Errorf(codes.Unimplemented, "gRPC calls are POST, not %.20s", r.Method)
	}
	switch encoding := r.Header.Get("Grpc-Encoding"); encoding {
	case "", "identity":
	case "gzip":
		c.zipped = true
	default:
		return c, status.Errorf(codes.Unimplemented, "messages encoded as %.20q are not understood; gzip is", encoding)
	}
	return c, nil
}

// piece is how much of a message is read at once: no more memory is taken than came.
const piece = 32 << 10

// Receive gives the next message, which the caller frees; io.EOF says that no more come.
func (c *Call) Receive() (mem.BufferSlice, error) {
	if _, err := io.ReadFull(c.r.Body, c.prefix[:]); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		return nil, broken(err)
	}
	n := uint32(c.prefix[1])<<24 | uint32(c.prefix[2])<<16 | uint32(c.prefix[3])<<8 | uint32(c.prefix[4])
	if uint64(n) > uint64(c.cfg.MaxMessage) {
		return nil, c.tooLarge(int64(n))
	}
	switch {
	case c.prefix[0] == 0:
		return c.read(c.r.Body, int(n))
	case c.prefix[0] == 1 && c.zipped:
		return c.unzip(io.LimitReader(c.r.Body, int64(n)))
	}
	return nil, status.Error(codes.Internal, "the message's compression was not announced")
}

func (c *Call) tooLarge(n int64) error {
	if n < 0 {
		return fault.New(fault.Exhausted, "MESSAGE_TOO_LARGE", "the message is larger than the %d bytes that are taken", c.cfg.MaxMessage)
	}
	return fault.New(fault.Exhausted, "MESSAGE_TOO_LARGE", "the message has %d bytes; at most %d are taken", n, c.cfg.MaxMessage)
}

func (c *Call) read(from io.Reader, n int) (data mem.BufferSlice, err error) {
	pool := buffers.Pool
	for n > 0 {
		b := pool.Get(min(n, piece))
		if _, err = io.ReadFull(from, *b); err != nil {
			pool.Put(b)
			data.Free()
			return nil, broken(err)
		}
		n -= len(*b)
		data = append(data, mem.NewBuffer(b, pool))
	}
	return data, nil
}

func broken(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return status.Error(codes.Internal, "the message is cut off")
	}
	return status.Error(codes.Canceled, "the caller left")
}

// Header begins the answer; it is for the caller to see at once.
func (c *Call) Header(md metadata.MD) {
	c.begin(md)
	_ = c.control.Flush() // who has left is told of by the context
}

func (c *Call) begin(md metadata.MD) {
	if c.began {
		return
	}
	c.began = true
	h := c.w.Header()
	put(h, "", md)
	h.Set("Content-Type", c.r.Header.Get("Content-Type"))
	h.Set("Grpc-Accept-Encoding", "identity,gzip")
	c.w.WriteHeader(http.StatusOK)
}

// ErrStalled says that the caller took no byte for too long.
var ErrStalled = errors.New("wire: the caller takes nothing")

// Send sends a message, in answers that go on at once. It returns when the peer's windows have taken it.
func (c *Call) Send(data mem.BufferSlice, goesOn bool) (err error) {
	n := data.Len()
	c.begin(nil)
	c.guard()
	c.sending = [5]byte{0, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
	if _, err = c.w.Write(c.sending[:]); err != nil {
		return c.unsent(err)
	}
	for _, b := range data {
		for rest := b.ReadOnlyData(); len(rest) > 0 && err == nil; {
			some := rest[:min(len(rest), piece)]
			_, err = c.w.Write(some)
			rest = rest[len(some):]
			c.watch.Reset(c.cfg.Patience)
		}
	}
	if err == nil && goesOn {
		err = c.control.Flush()
	}
	c.watch.Stop()
	return c.unsent(err)
}

// guard gives up on the caller when nothing was taken for as long as patience.
func (c *Call) guard() {
	if c.watch == nil {
		c.watch = time.AfterFunc(c.cfg.Patience, func() {
			c.stalled.Store(true)
			_ = c.control.SetWriteDeadline(time.Now()) // a test's writer may have none
		})
		return
	}
	c.watch.Reset(c.cfg.Patience)
}

func (c *Call) unsent(err error) error {
	if err != nil && (c.stalled.Load() || errors.Is(err, os.ErrDeadlineExceeded)) {
		return ErrStalled
	}
	return err
}

// End ends the call with err, nil for a good end, and gives its status. Nothing may be sent after it.
func (c *Call) End(err error, trailer metadata.MD) *status.Status {
	if c.watch != nil {
		c.watch.Stop()
	}
	st := rpc.Status(err)
	if st == nil {
		st = status.New(codes.OK, "")
	}
	h, prefix := c.w.Header(), http.TrailerPrefix
	if !c.began { // the answer's header is its trailer as well
		prefix = ""
		h.Set("Content-Type", c.r.Header.Get("Content-Type"))
		h.Set("Grpc-Accept-Encoding", "identity,gzip")
	}
	put(h, prefix, trailer)
	putStatus(h, prefix, st)
	if !c.began {
		c.began = true
		c.w.WriteHeader(http.StatusOK)
	}
	return st
}

// Close ends what still receives.
func (c *Call) Close() { _ = c.r.Body.Close() }

// Metadata adds to the answer's header, which has not gone out yet.
func (c *Call) Metadata(md metadata.MD) {
	if !c.began {
		put(c.w.Header(), "", md)
	}
}
