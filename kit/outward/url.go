package outward

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

const maxURL = 2048 // bytes

// CheckURL tells what can be known to be wrong with a URL before its host is looked up, in words that follow its name; "" is nothing.
func (c *Client) CheckURL(text string) string {
	if len(text) > maxURL {
		return "is longer than 2048 bytes"
	}
	u, err := url.Parse(text)
	if err != nil {
		return "is not a URL"
	}
	return c.checkURL(u)
}

func (c *Client) checkURL(u *url.URL) string {
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	switch {
	case c.cfg.HTTPSOnly && u.Scheme != "https":
		return "is not an https URL"
	case u.Scheme != "http" && u.Scheme != "https":
		return "is not an http or https URL"
	case u.User != nil:
		return "holds a user name or a password, which are not sent"
	case host == "":
		return "names no host"
	case !validPort(u):
		return "names a port that is none"
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case err == nil && !c.Allowed(ip), local(host) && !c.Allowed(netip.AddrFrom4([4]byte{127, 0, 0, 1})):
		return "leads to an address that is private or reserved"
	case err != nil && numeric(host):
		return "names a host that is neither a name nor an address"
	}
	return ""
}

func validPort(u *url.URL) bool {
	if u.Port() == "" {
		return !strings.HasSuffix(u.Host, ":")
	}
	n, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil && n > 0
}

func local(host string) bool { return host == "localhost" || strings.HasSuffix(host, ".localhost") }

// numeric finds the other ways to write an IPv4 address, such as 2130706433, 0x7f.1 and 127.1: no name ends in a number.
func numeric(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	if last == "" || strings.Trim(last, "0123456789") == "" {
		return true
	}
	hex, ok := strings.CutPrefix(last, "0x")
	return ok && strings.Trim(hex, "0123456789abcdef") == ""
}
