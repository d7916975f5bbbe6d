package compose

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	all, err := parse([]byte(`[
	  {"Id": "b", "Name": "/calotype-gateway-2", "State": {"Status": "running", "Pid": 7, "StartedAt": "2026-11-22T05:00:00Z", "Health": {"Status": "starting"}},
	   "Config": {"Labels": {"com.docker.compose.service": "gateway", "com.docker.compose.container-number": "2"}}, "HostConfig": {"RestartPolicy": {"Name": "unless-stopped"}},
	   "NetworkSettings": {"Networks": {"calotype_edge": {"IPAddress": "10.0.0.2", "Gateway": "10.0.0.1", "Aliases": ["gateway"]}}, "Ports": {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "80"}], "9000/tcp": null}}},
	  {"Id": "c", "Name": "/calotype-consul-init-1", "State": {"Status": "exited", "ExitCode": 3, "StartedAt": "2026-11-22T05:00:00Z"},
	   "Config": {"Labels": {"com.docker.compose.service": "consul-init"}}, "HostConfig": {"RestartPolicy": {"Name": "no"}}, "NetworkSettings": {}}
	]`))
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)
	want := []Container{
		{ID: "c", Name: "calotype-consul-init-1", Service: "consul-init", Number: 1, OneOff: true, Status: "exited", ExitCode: 3, Started: at,
			Networks: map[string]Endpoint{}, Ports: map[string][]Published{}},
		{ID: "b", Name: "calotype-gateway-2", Service: "gateway", Number: 2, Status: "running", Health: "starting", PID: 7, Started: at,
			Networks: map[string]Endpoint{"calotype_edge": {"10.0.0.2", "10.0.0.1", []string{"gateway"}}}, Ports: map[string][]Published{"8080/tcp": {{"127.0.0.1", "80"}}}},
	}
	if d := cmp.Diff(want, all); d != "" {
		t.Error(d)
	}
}

func TestWell(t *testing.T) {
	for c, want := range map[[2]string]bool{
		{"running", ""}: true, {"running", "healthy"}: true, {"running", "starting"}: false, {"running", "unhealthy"}: false, {"exited", ""}: false, {"paused", "healthy"}: false,
	} {
		if got := (Container{Status: c[0], Health: c[1]}).Well(); got != want {
			t.Errorf("%v: %v", c, got)
		}
	}
}
