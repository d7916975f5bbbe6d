package registration

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"go-micro.dev/v4/registry"
	"go-micro.dev/v4/util/addr"
)

// Address is where others reach a server: as told, or where it listens, with an address of this machine in the place of
// an unspecified one: that from which the registry is reached, for there the others are too, or else the first private one. A told
// address without a port takes that of the listener.
func Address(told, listen string, of interface{ Options() registry.Options }) (string, error) {
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
		if host = towards(of.Options().Addrs); host != "" {
			return net.JoinHostPort(host, port), nil
		}
		if host, err = addr.Extract(""); err != nil {
			return "", fmt.Errorf("cannot find an address to advertise: %w", err)
		}
	}
	return net.JoinHostPort(host, port), nil
}

// towards gives the address from which the first of some servers is reached that there is a way to; "" where that is within this
// machine.
func towards(servers []string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second) // names are resolved, and a machine that has just started is busy
	defer cancel()
	for _, server := range servers {
		conn, err := (&net.Dialer{}).DialContext(ctx, "udp", server) // sends nothing
		if err != nil {
			continue
		}
		local, ok := conn.LocalAddr().(*net.UDPAddr)
		_ = conn.Close() // nothing was sent
		if ok && !local.IP.IsLoopback() {
			return local.IP.String()
		}
	}
	return ""
}

// here reports whether an address is one of this machine's.
func here(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	all, err := net.InterfaceAddrs()
	return err == nil && ip != nil && slices.ContainsFunc(all, func(a net.Addr) bool {
		n, ok := a.(*net.IPNet)
		return ok && n.IP.Equal(ip)
	})
}
