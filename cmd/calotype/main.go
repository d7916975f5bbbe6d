// Command calotype runs the whole suite in one process, and talks to a running one.
package main

import (
	"os"

	"calotype/cmd/calotype/internal/command"
	"calotype/kit/boot"
	worker "calotype/services/image/worker/app"
)

func main() {
	worker.Help()
	os.Exit(command.Main(boot.Signals("calotype"), os.Args[1:], os.Stdout, os.Stderr))
}
