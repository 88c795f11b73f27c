// Package httpserver is the public face of a node: routes, JSON, authentication,
// problems, the dashboard and the metrics page, on fasthttp.
//
// # A request's way
//
//	fasthttp -> copied into a request -> authenticate -> quota -> route -> role -> handler -> response -> fasthttp
//	                                                                                  |
//	                                                              one call of the backend (backend.go)
//
// A handler decodes, makes one domain call and encodes; it picks no status and
// holds no rule. Nothing that fasthttp owns goes beyond server.go: a request and a
// response are plain values, so that one that came from another node takes
// exactly the same way.
//
// # Who may do what
//
// An endpoint names the least role that may use it (route.go); a key sees its namespace,
// and what is in another one is not found (namespace.go). The node that a client asked
// counts the request against the key's quota, the leader that it is forwarded to does
// not (admit.go). Too many unknown keys from one address are refused before they are
// looked at (ratelimit.go).
//
// # Streams
//
// An answer may be made while it is sent (stream.go). It is this node's own and never
// forwarded. It ends with its client, its key and the server; its goroutines are a
// group that Shutdown waits for. One that is to be whole says how long it is, and breaks
// the connection if it ends before (backup.go).
//
// # Reads and writes
//
// A read waits for a linearizable read point ([Consistency]) unless it asks for
// ?consistency=stale, and is then answered from this node's own state. A node that
// cannot have a read point (it lags behind because its disk is full, or hears no
// leader) passes the read on to the leader, once; the answer then tells the leader's
// applied index. What a node tells of itself, like GET /cluster, is never passed on.
//
// A write is tried here. If the backend says that this node does not lead
// ([job.ErrNotLeader]), the whole request goes to the leader, once, through the
// [Forwarder]; there [Server.ServeForwarded] authenticates and handles it like any
// other and never forwards it again. Back here the node waits until it has applied
// what the leader had, so that the caller reads its own write at this node.
//
// # Writes that come again
//
// A POST that creates, runs or cancels may have an Idempotency-Key. Its answer is made
// before the commit, by [job.Idempotent], and committed with the write (kept.go has
// its form), so that a repetition gets the same bytes from any node, and
// Idempotency-Replayed: true. Only what took effect is kept: a refused request may be
// repeated with its key. A key counts within a namespace, and the root key's are apart.
// With other methods the header means nothing; there If-Match does the same service.
//
// # Events
//
// A stream of events (events.go) reads the node's ring of them at its own pace and keeps
// none. If the ring has gone on without it, the stream says so and begins anew. Whatever
// it leaves out, it tells its reader how far it has come, so that the reader can go on
// from there at any node.
//
// # The contract
//
// api/openapi.yaml describes the API whole. Every exchange of this package's tests is held
// against it (contract_test.go): what it does not describe, or describes otherwise, or no
// test sends, fails them.
//
// # Failure
//
// An error for people is a [job.Error]; status.go has the one table from its code
// to an HTTP status. Any other error, and a panic, is logged whole with the request's
// ID and shown as "internal error". If it cannot be known whether a write took
// effect, the answer is outcome_unknown and never a failure. A full disk is disk_full:
// nothing was written, and reads go on.
package httpserver
