// Package peerpb is the wire format of peer calls, generated from peer.proto.
package peerpb
