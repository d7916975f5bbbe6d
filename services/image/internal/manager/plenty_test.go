//go:build !race

package manager_test

// plenty is how many jobs a tenant has that has many.
const plenty = 10_000
