package outward

import "net/netip"

// What is not public, by IANA's registries of special-purpose addresses (IPv4 and IPv6), and beyond them the one address by which a
// cloud serves its own machines from public space. Of IPv6 only 2000::/3 is public at all, which leaves out mapped, translated
// (NAT64), unique local, link-local and multicast addresses.
var (
	notPublic4 = prefixes(
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
		"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
		"168.63.129.16/32", // Azure's own services
	)
	public6    = netip.MustParsePrefix("2000::/3")
	notPublic6 = prefixes(
		"2001::/23",     // protocols: Teredo, benchmarks, ORCHID
		"2001:db8::/32", // documentation
		"2002::/16",     // 6to4, which leads to any IPv4 address
		"3fff::/20",     // documentation
	)
)

func prefixes(texts ...string) (all []netip.Prefix) {
	for _, t := range texts {
		all = append(all, netip.MustParsePrefix(t))
	}
	return all
}

// Public reports whether an address can be reached from anywhere in the internet. An IPv4 address written as IPv6 is judged as what
// it is.
func Public(ip netip.Addr) bool {
	if ip = ip.Unmap(); ip.Is4() {
		return !within(notPublic4, ip)
	}
	return ip.IsValid() && ip.Zone() == "" && public6.Contains(ip) && !within(notPublic6, ip)
}

func within(all []netip.Prefix, ip netip.Addr) bool {
	for _, p := range all {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}
