package catalog

import "strings"

// Rules say which services, as package.Service, and which methods, as package.Service/Method, strangers may call. In a rule "*" stands
// for any text and a "!" before it forbids; of the rules that fit the last one counts, and what none fits is forbidden.
type Rules []string

// Service reports whether a service may be called, some of its methods at least.
func (r Rules) Service(service string) bool {
	ok := false
	for _, rule := range r {
		pattern, forbids := strings.CutPrefix(rule, "!")
		of, _, method := strings.Cut(pattern, "/")
		switch {
		case !fits(of, service):
		case !forbids:
			ok = true
		case !method:
			ok = false
		}
	}
	return ok
}

// Method reports whether a method may be called.
func (r Rules) Method(service, method string) bool {
	ok := false
	for _, rule := range r {
		pattern, forbids := strings.CutPrefix(rule, "!")
		of, named, one := strings.Cut(pattern, "/")
		if fits(of, service) && (!one || fits(named, method)) {
			ok = !forbids
		}
	}
	return ok
}

// fits matches text against a pattern in which "*" stands for any text.
func fits(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	rest, ok := strings.CutPrefix(text, parts[0])
	if !ok {
		return false
	}
	last := len(parts) - 1
	for _, part := range parts[1:last] {
		i := strings.Index(rest, part)
		if i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	return strings.HasSuffix(rest, parts[last])
}
