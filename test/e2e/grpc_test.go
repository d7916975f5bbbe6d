package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"calotype/test/servers"
)

// Whatever a plain client wants of any service goes through the gateway's one port.
func TestGRPCThroughTheGateway(t *testing.T) {
	s := up(t, t.TempDir())
	_, job := process(t, s.base, "thumb", picture(t, "photo.jpg"))
	tool, address := filepath.Join(servers.ToolFolder(t, "grpcurl"), "grpcurl"), strings.TrimPrefix(s.base, "http://")
	for _, c := range []struct {
		args, want []string
		fails      bool
	}{
		{[]string{address, "list"}, []string{"greeter.v1.Greeter\ngrpc.health.v1.Health\n", "image.v1.Jobs\n", "storage.v1.Storage\n"}, false},
		{[]string{address, "describe", "greeter.v1.Greeter"}, []string{"rpc Greetings", "returns ( stream .greeter.v1.GreetingsResponse )"}, false},
		{[]string{"-d", `{"name":"Ada"}`, address, "greeter.v1.Greeter/Hello"}, []string{`"message": "Hello, Ada"`}, false},
		{[]string{"-d", `{"name":"Ada","count":3}`, address, "greeter.v1.Greeter/Greetings"}, []string{`"number": 3`}, false},
		{[]string{"-d", `{"id":"` + job.GetId() + `"}`, address, "image.v1.Jobs/Watch"}, []string{"SUCCEEDED"}, false},
		{[]string{"-d", `{"page_size":2}`, address, "storage.v1.Storage/List"}, []string{`"digest"`}, false},
		{[]string{"-d", `{"service":"image.v1.Jobs"}`, address, "grpc.health.v1.Health/Check"}, []string{"SERVING"}, false},
		{[]string{"-d", `{"id":"img_none"}`, address, "image.v1.Images/Get"}, []string{"NotFound", "IMAGE_NOT_FOUND"}, true},
		{[]string{"-d", `{"digest":"x"}`, address, "storage.v1.Storage/Delete"}, []string{"PermissionDenied", "METHOD_NOT_OPEN"}, true},
	} {
		out, err := exec.CommandContext(within(t), tool, append([]string{"-plaintext"}, c.args...)...).CombinedOutput()
		if (err != nil) != c.fails {
			t.Errorf("grpcurl %s: %v\n%s", strings.Join(c.args, " "), err, out)
		}
		for _, want := range c.want {
			if !strings.Contains(string(out), want) {
				t.Errorf("grpcurl %s: no %q in\n%s", strings.Join(c.args, " "), want, out)
			}
		}
	}
}
