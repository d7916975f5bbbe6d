// Command greeter answers with the identity of the node that answered.
package main

import (
	"calotype/kit/boot"
	"calotype/proto"
	"calotype/services/greeter/app"
)

func main() {
	boot.MainOf(proto.Greeter, app.DefaultConfig(), app.New)
}
