// Package api holds the structs of the public JSON, as API.md describes them.
//
// They are what goes over the wire and nothing else: package httpserver maps them
// to the domain by hand, and a client may use them as they are. A pointer is a
// field that may be null.
package api
