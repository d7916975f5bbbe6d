package monitoring

import (
	"os"
	"testing"

	worker "calotype/services/image/worker/app"
)

// isolated has the worker decode pictures in processes of their own, which are this program.
const isolated = "process"

func TestMain(m *testing.M) {
	worker.Help()
	os.Exit(m.Run())
}
