// Package openapi holds the two halves of the REST interface's description: what is generated from the protos, and what is
// written by hand for the routes that stream. The gateway joins them into the document it serves.
package openapi

import _ "embed"

// Generated is the OpenAPI 2 document of the transcoded routes, as protoc-gen-openapiv2 writes it.
//
//go:embed calotype.swagger.json
var Generated []byte

// Streams is an OpenAPI 3 document in YAML: the routes that move bytes and events, and what all routes share.
//
//go:embed streams.yaml
var Streams []byte
