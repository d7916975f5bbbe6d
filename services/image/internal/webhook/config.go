package webhook

import (
	"fmt"
	"net/netip"

	"calotype/kit/config"
	"calotype/kit/fault"
)

// Config says how notices are signed and where they may go.
type Config struct {
	Secrets    config.Secret `koanf:"secrets" doc:"secrets that sign webhooks, each \"whsec_\" and 24 to 64 bytes in base64, parted by commas or lines: all sign, the first comes first; without any, webhooks are off"`
	KeepSecret string        `koanf:"keep_secret" doc:"where no secrets are given: the file that keeps one, made at the first start; empty makes none"`
	Allow      []string      `koanf:"allow" doc:"networks such as 10.1.0.0/16 whose receivers are reached although their addresses are private"`
	HTTPSOnly  bool          `koanf:"https_only" doc:"whether webhooks go to https URLs only"`
}

// Validate finds every fault at once. It never shows a secret.
func (c Config) Validate() []fault.Field {
	_, faults := readKeys(c.Secrets.Reveal())
	_, wrong := c.networks()
	return append(faults, wrong...)
}

func (c Config) networks() (all []netip.Prefix, faults []fault.Field) {
	for i, text := range c.Allow {
		p, err := netip.ParsePrefix(text)
		if err != nil || p.Addr().Is4In6() {
			faults = append(faults, fault.Field{Path: fmt.Sprintf("allow[%d]", i), Message: fmt.Sprintf("%q is not a network such as 10.1.0.0/16 or fd00::/8", text)})
			continue
		}
		all = append(all, p)
	}
	return all, faults
}
