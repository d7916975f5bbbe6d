package e2e

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"calotype/test/servers"
)

// suite is a `calotype up` that runs.
type suite struct {
	*servers.Process
	base string            // of its REST interface
	grpc map[string]string // service to address
}

var (
	restLine = regexp.MustCompile(`REST +(http://\S+)/v1/images`)
	grpcLine = regexp.MustCompile(`gRPC (\S+) +(\S+)\n`)
)

// up starts the suite on a data folder, with free ports, and returns when it says that it is up.
func up(t *testing.T, data string, env ...string) *suite {
	t.Helper()
	s := &suite{}
	s.Process = servers.Run(t, servers.Program{
		Path: filepath.Join(bin, "calotype"),
		Args: []string{"up", "--data", data, "--listen", "127.0.0.1:0"},
		Env:  append([]string{"CALOTYPE_RPC__LISTEN=127.0.0.1:0", "CALOTYPE_LOG__LEVEL=warn"}, env...),
		Ready: func(_ context.Context, p *servers.Process) error {
			log := p.Log()
			found := restLine.FindStringSubmatch(log)
			if found == nil {
				return errors.New("it has not said that it is up")
			}
			s.base, s.grpc = found[1], map[string]string{}
			for _, line := range grpcLine.FindAllStringSubmatch(log, -1) {
				s.grpc[line[1]] = line[2]
			}
			return nil
		},
	})
	return s
}

// calotype runs the command line against a server.
func calotype(t *testing.T, server string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.CommandContext(within(t), filepath.Join(bin, "calotype"), args...)
	cmd.Env = append(cmd.Environ(), "CALOTYPE_SERVER="+server)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}
