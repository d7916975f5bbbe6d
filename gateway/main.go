// Command gateway serves Calotype's REST interface and console, and finds everything behind them in the registry.
package main

import (
	"calotype/gateway/app"
	"calotype/kit/boot"
	"calotype/proto"
)

func main() {
	boot.MainOf(proto.Gateway, app.DefaultConfig(), app.New)
}
