//go:build linux && !amd64 && !arm64

package isolation

const machine = 0

var (
	native  []uint32
	opening map[uint32]int
)
