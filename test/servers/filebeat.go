package servers

import (
	"context"
	"testing"
)

// NewFilebeat starts a shipper of logs with arguments and variables. What it has shipped is seen where that goes.
func NewFilebeat(t testing.TB, env []string, args ...string) *Process {
	t.Helper()
	return Run(t, Program{
		Path: find(t, "filebeat"), Env: env, Args: append([]string{"--strict.perms=false"}, args...),
		Ready: func(context.Context, *Process) error { return nil },
	})
}
