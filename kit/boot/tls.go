package boot

import (
	"crypto/tls"

	"calotype/kit/rpc"
)

func (h *Host) files(c TLSConfig) rpc.TLSFiles {
	return rpc.TLSFiles{CA: c.CAFile, Cert: c.CertFile, Key: c.KeyFile, ServerName: c.ServerName, Log: h.Log}
}

// serverTLS and clientTLS give nil for clear text.
func (h *Host) serverTLS(c TLSConfig) (*tls.Config, error) {
	if !c.Enabled {
		return nil, nil
	}
	return h.files(c).Server()
}

func (h *Host) clientTLS(c TLSConfig) (*tls.Config, error) {
	if !c.Enabled {
		return nil, nil
	}
	return h.files(c).Client()
}
