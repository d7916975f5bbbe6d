// Command storage serves blobs by the sha256 of their content.
package main

import (
	"calotype/kit/boot"
	"calotype/proto"
	"calotype/services/storage/app"
)

func main() {
	boot.MainOf(proto.Storage, app.DefaultConfig(), app.New)
}
