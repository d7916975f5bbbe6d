package registration

import (
	"fmt"
	"net"
	"strings"

	"go-micro.dev/v4/util/addr"
)

// Address is where others reach a server: as told, or where it listens, with an address of this machine in the place of
// an unspecified one. A told address without a port takes that of the listener.
func Address(told, listen string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", fmt.Errorf("cannot advertise %q: %w", listen, err)
	}
	if told != "" {
		h, p, err := net.SplitHostPort(told)
		if err != nil {
			h, p = strings.Trim(told, "[]"), port
		}
		host = h
		if p != "" && p != "0" {
			port = p
		}
	}
	if host == "" || net.ParseIP(host).IsUnspecified() {
		if host, err = addr.Extract(""); err != nil {
			return "", fmt.Errorf("cannot find an address to advertise: %w", err)
		}
	}
	return net.JoinHostPort(host, port), nil
}
