package edge

import "testing"

func TestWhatNginxIsNotGiven(t *testing.T) {
	if fs := DefaultConfig().Edge.Validate(); len(fs) > 0 {
		t.Errorf("the defaults: %v", fs)
	}
	for path, change := range map[string]func(*Settings){
		"http":             func(s *Settings) { s.HTTP = "127.0.0.1:80; return 200" },
		"grpc":             func(s *Settings) { s.GRPC = "81" },
		"tls.listen":       func(s *Settings) { s.TLS.Listen = "example.com:443" },
		"tls.cert_file":    func(s *Settings) { s.TLS.CertFile = "/a" },
		"tls.key_file":     func(s *Settings) { s.TLS.CertFile, s.TLS.KeyFile = "/a", "/b c" },
		"dir":              func(s *Settings) { s.Dir = "/tmp/x;y" },
		"access_log":       func(s *Settings) { s.Access = "stdout" },
		"trusted[0]":       func(s *Settings) { s.Trusted = []string{"10.0.0.1;"} },
		"workers":          func(s *Settings) { s.Workers = "1; x" },
		"connections":      func(s *Settings) { s.Conns = 1 },
		"limits":           func(s *Settings) { s.Limits.Rate = -1 },
		"repeat":           func(s *Settings) { s.Repeat.Room = s.Repeat.Size },
		"timeouts.answer":  func(s *Settings) { s.Timeouts.Answer = 0 },
		"cache.dir":        func(s *Settings) { s.Cache.Dir = "cache" },
		"gateways.silence": func(s *Settings) { s.Gateways.Silence = -1 },
	} {
		s := DefaultConfig().Edge
		change(&s)
		if fs := s.Validate(); len(fs) != 1 || fs[0].Path != path {
			t.Errorf("%s: %v", path, fs)
		}
	}
}

func TestTracesBeginWhereTheShareIsKnown(t *testing.T) {
	for sampler, want := range map[string]struct {
		begin bool
		share float64
	}{"off": {}, "none": {true, 0}, "all": {true, 1}, "probabilistic": {true, 0.25}, "ratelimiting": {}, "remote": {}} {
		c := DefaultConfig()
		c.Tracing.Sampler, c.Tracing.Param = sampler, 0.25
		if s := c.settings(); s.BeginTraces != want.begin || s.TraceShare != want.share {
			t.Errorf("%s: %v %v", sampler, s.BeginTraces, s.TraceShare)
		}
	}
}
