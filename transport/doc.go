// Package transport carries what nodes say to each other.
//
// A node has one TCP port for its peers. Each connection to it begins with a
// mutual TLS handshake, in which ALPN says what the connection is for: raft's own
// stream, or peer calls, which are HTTP requests with protobuf bodies.
//
//	                                 +-- Raft()  *Stream -- raft.NetworkTransport
//	listener -- Port -- handshakes --+
//	                                 +-- Calls() *Stream -- Server -- Handler
//
//	Client -- one set of keep-alive connections a peer -- Calls().DialContext
//
// # Goroutines and their end
//
// The [Port] has one goroutine that accepts, and one for each handshake; a slow
// handshake holds up nobody, and when too many are under way the oldest is given
// up. The [Server] has one for each connection, the [Client] one for each
// connection too: it reads answers, and notices at once when the peer hangs up.
// Every Close returns when its goroutines have ended, and a closed Port has
// closed every connection that came or went through it. Close the Server and the
// Client first, so that calls under way can end in peace.
//
// # Failure
//
// A refusal by the other node's [Handler] arrives as the *job.Error that it was.
// Anything else that goes wrong is a wrapped error that says which call to which
// address failed, and is [ErrNotDelivered] if the handler has surely seen nothing
// of it: neither of this request nor of an earlier one of the same call. Calls that
// may be repeated are repeated, once; [Client.Forward] is not, and keeps apart "was
// not reached" (job.ErrNotLeader) from "may have happened" (job.ErrOutcomeUnknown).
//
// Nodes of two versions talk to each other during a rolling upgrade; what an older
// one leaves out, and what that means, stands in wire.go.
package transport
