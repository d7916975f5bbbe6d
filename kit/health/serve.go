package health

import (
	"encoding/json"
	"net/http"
)

// Live answers /healthz: 200 as long as the process can answer at all. A process that is not ready is not to be killed for it.
func (c *Checks) Live(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte("ok\n"))
}

// ServeReady answers /readyz: 200 or 503, with every check in JSON.
func (c *Checks) ServeReady(w http.ResponseWriter, _ *http.Request) {
	r := c.Report()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if !r.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(r)
}
