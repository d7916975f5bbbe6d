//go:build !unix

package litequeue

import (
	"os"

	"calotype/kit/fault"
)

// lockFile opens the file; whoever asks for Exclusive here vouches for it.
func lockFile(path string, _ bool) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	return f, fault.Wrap(err, fault.Internal, "", "the queue's lock cannot be opened")
}
