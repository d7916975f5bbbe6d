// Package rpc is go-micro's server.Server and client.Client on grpc-go: handlers and stubs of protoc-gen-micro, wrappers and
// registries work as they are, while the wire is ordinary gRPC, so any gRPC client or server can stand at the other end.
//
// A Server registers handlers under the full names of their services, answers grpc.health.v1 and reflection, turns a panic into
// one failed call, turns calls away early when it has more to do than it can, and leaves in steps: Deregister, then Drain.
//
// A Client follows the registry in the background, keeps one connection a node, picks the less loaded of two nodes, sets aside
// nodes that fail and those that fall silent, and repeats on another node what the method's idempotency_level allows, under a
// budget and within the caller's deadline. Errors come back as *fault.Error; status.FromError reads the status itself.
//
// The package knows no service; what it takes of Calotype is kit/fault and kit/registration. docs/rpc.md is its guide.
package rpc
