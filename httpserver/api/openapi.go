package api

import _ "embed"

// OpenAPI is the contract of the whole API: openapi.yaml, OpenAPI 3.1.
//
//go:embed openapi.yaml
var OpenAPI []byte
