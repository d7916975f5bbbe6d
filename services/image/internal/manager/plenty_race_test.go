//go:build race

package manager_test

// The detector makes the store twenty times as slow.
const plenty = 1000
