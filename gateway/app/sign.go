package app

import (
	"errors"
	"strings"
	"time"

	"calotype/gateway/internal/onthefly"
)

// Address signs what follows /i/ with the first key, valid until end unless that is zero, and gives the whole path.
func (c SigningConfig) Address(path string, end time.Time) (string, error) {
	keys := c.keys()
	path = strings.TrimPrefix(strings.TrimPrefix(path, onthefly.Prefix), "/")
	switch {
	case len(keys) == 0:
		return "", errors.New("there is no key to sign with")
	case path == "":
		return "", errors.New("there is nothing to sign")
	case end.IsZero():
		return onthefly.Prefix + keys.Sign(path), nil
	}
	return onthefly.Prefix + keys.SignUntil(path, end), nil
}
