package servers

import (
	"cmp"
	"testing"
)

// startTogether runs servers that wait for each other. prepare is called with new ports and folders for each try.
func startTogether(t testing.TB, what string, prepare func() []*Process) {
	t.Helper()
	var all []*Process
	var err error
	for range 3 { // somebody else may take a port first
		all = prepare()
		started := make(chan error, len(all))
		for _, p := range all {
			go func() { started <- p.run() }()
		}
		err = nil
		for range all {
			err = cmp.Or(err, <-started)
		}
		if err == nil {
			return
		}
		for _, p := range all {
			p.Kill()
		}
	}
	t.Fatalf("start %s: %v\n%s", what, err, all[0].Log())
}
