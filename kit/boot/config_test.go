package boot

import "testing"

func TestValidateRPC(t *testing.T) {
	if fs := DefaultConfig().RPC.Shedding.Validate(); fs != nil {
		t.Errorf("the defaults are wrong: %v", fs)
	}
	for what, c := range map[string]interface{ faults() int }{
		"no calls at all":       shedding{Enabled: true, Min: 0, Max: 10, Streams: 1},
		"less than the least":   shedding{Enabled: true, Min: 10, Max: 9, Streams: 1},
		"no streams at all":     shedding{Enabled: true, Min: 1, Max: 1},
		"a server without keys": secure{Enabled: true, CAFile: "ca.pem"},
		"no key":                secure{Enabled: true, CertFile: "cert.pem"},
		"files for nothing":     secure{CAFile: "ca.pem"},
	} {
		if c.faults() != 1 {
			t.Errorf("%s: %d faults, want 1", what, c.faults())
		}
	}
	for what, c := range map[string]interface{ faults() int }{
		"off":       shedding{},
		"certified": secure{Enabled: true, CertFile: "cert.pem", KeyFile: "key.pem"},
		"no TLS":    secure{},
	} {
		if c.faults() != 0 {
			t.Errorf("%s: %d faults", what, c.faults())
		}
	}
}

type shedding SheddingConfig

func (c shedding) faults() int { return len(SheddingConfig(c).Validate()) }

type secure TLSConfig

func (c secure) faults() int { return len(TLSConfig(c).Validate()) }
