//go:build linux

package isolation

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	prefix  = 12      // bytes: the length of the head in 4, of the bytes after it in 8
	maxHead = 4 << 20 // bytes
)

// link carries frames: a prefix, a head in JSON, then bytes. A file can come along. Both ends may send from several goroutines and
// receive from one.
type link struct {
	conn *net.UnixConn
	mu   sync.Mutex
}

func newLink(f *os.File) (*link, error) {
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	conn, ok := c.(*net.UnixConn)
	if !ok {
		_ = c.Close()
		return nil, fmt.Errorf("%s is no unix socket", f.Name())
	}
	return &link{conn: conn}, nil
}

// send writes a frame; fd goes with it unless it is negative.
func (l *link) send(m *message, fd int, parts ...[]byte) error {
	head, err := json.Marshal(m)
	if err != nil {
		return err
	}
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	first := make([]byte, prefix, prefix+len(head))
	binary.BigEndian.PutUint32(first, uint32(len(head)))
	binary.BigEndian.PutUint64(first[4:], uint64(size))
	first = append(first, head...)
	l.mu.Lock()
	defer l.mu.Unlock()
	if fd >= 0 {
		n, _, err := l.conn.WriteMsgUnix(first, unix.UnixRights(fd), nil)
		if err != nil {
			return err
		}
		first = first[n:]
	}
	all := append(net.Buffers{first}, parts...)
	_, err = all.WriteTo(l.conn)
	return err
}

// receive reads a frame, of which at most so many bytes come after the head. The file that came with it, or -1, is the caller's.
func (l *link) receive(most int64) (m message, body []byte, fd int, err error) {
	var first [prefix]byte
	oob := make([]byte, unix.CmsgSpace(4))
	n, oobn, _, _, err := l.conn.ReadMsgUnix(first[:], oob)
	fd = fileIn(oob[:oobn])
	defer func() {
		if err != nil && fd >= 0 {
			_ = unix.Close(fd)
		}
	}()
	switch {
	case err != nil:
		return m, nil, fd, err
	case n == 0:
		return m, nil, fd, io.EOF
	}
	if _, err := io.ReadFull(l.conn, first[n:]); err != nil {
		return m, nil, fd, err
	}
	headSize, size := binary.BigEndian.Uint32(first[:]), binary.BigEndian.Uint64(first[4:])
	if headSize > maxHead || size > uint64(most) {
		return m, nil, fd, fmt.Errorf("a frame of %d and %d bytes, where at most %d and %d are taken", headSize, size, maxHead, most)
	}
	head := make([]byte, headSize)
	if _, err := io.ReadFull(l.conn, head); err != nil {
		return m, nil, fd, err
	}
	if err := json.Unmarshal(head, &m); err != nil {
		return m, nil, fd, fmt.Errorf("a frame's head: %w", err)
	}
	if size > 0 {
		body = make([]byte, size)
		_, err = io.ReadFull(l.conn, body)
	}
	return m, body, fd, err
}

// fileIn takes the file out of a control message, or gives -1.
func fileIn(oob []byte) int {
	all, err := unix.ParseSocketControlMessage(oob)
	if err != nil || len(all) == 0 {
		return -1
	}
	fds, err := unix.ParseUnixRights(&all[0])
	if err != nil || len(fds) == 0 {
		return -1
	}
	return fds[0]
}
