//go:build !race

package pipeline

const slower = 1
