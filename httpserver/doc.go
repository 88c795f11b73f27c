// Package httpserver is the public face of a node: routes, JSON, authentication,
// problems, the dashboard and the metrics page, on fasthttp.
//
// # A request's way
//
//	fasthttp -> copied into a request -> authenticate -> route -> handler -> response -> fasthttp
//	                                                                 |
//	                                             one call of the backend (backend.go)
//
// A handler decodes, makes one domain call and encodes; it picks no status and
// holds no rule. Nothing that fasthttp owns goes beyond server.go: a request and a
// response are plain values, so that one that came from another node takes
// exactly the same way.
//
// # Reads and writes
//
// A read waits for a linearizable read point ([Consistency]) unless it asks for
// ?consistency=stale, and is then answered from this node's own state.
//
// A write is tried here. If the backend says that this node does not lead
// ([job.ErrNotLeader]), the whole request goes to the leader, once, through the
// [Forwarder]; there [Server.ServeForwarded] authenticates and handles it like any
// other and never forwards it again. Back here the node waits until it has applied
// what the leader had, so that the caller reads its own write at this node.
//
// # Failure
//
// An error for people is a [job.Error]; status.go has the one table from its code
// to an HTTP status. Any other error, and a panic, is logged whole with the request's
// ID and shown as "internal error". If it cannot be known whether a write took
// effect, the answer is outcome_unknown and never a failure.
package httpserver
