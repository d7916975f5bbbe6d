// Package proto holds what every user of the contract needs beside the messages: the names under which services register.
package proto

// The names of the services in the registry, and so in every client's first argument.
const (
	Greeter = "calotype-greeter"
	Storage = "calotype-storage"
	Image   = "calotype-image"
	Worker  = "calotype-image-worker"
	Gateway = "calotype-gateway"
)
