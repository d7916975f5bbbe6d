// Command image is the image manager: it registers originals and brings jobs to the nodes that work on them.
package main

import (
	"calotype/kit/boot"
	"calotype/proto"
	"calotype/services/image/app"
)

func main() {
	boot.MainOf(proto.Image, app.DefaultConfig(), app.New)
}
