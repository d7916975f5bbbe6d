// Package isolation runs an engine in helper processes, so that a decoder that crashes, hangs or is broken into costs one call and not
// the node. A helper is this very program, started again, with a bounded memory, no network and no way to write or start anything. The
// package knows engines, and neither the picture library nor the wire between nodes.
//
// What goes to a helper lies in shared memory that the helper can only read; what comes back comes over a socket and is not trusted.
package isolation
