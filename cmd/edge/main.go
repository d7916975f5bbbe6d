// Command edge runs nginx before the gateways: it fills in its configuration, carries its connections to the gateways that the registry
// knows, and ends when it ends.
package main

import (
	"calotype/cmd/edge/internal/edge"
	"calotype/kit/boot"
)

func main() {
	boot.MainOf("nginx", edge.DefaultConfig(), edge.New)
}
