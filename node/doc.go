// Package node is one member of a cluster: it owns raft, the log store, gossip
// and the peer port, and glues the parts that must not know each other.
//
//	          httpserver (through cmd)          peers
//	               |  Jobs Executions Keys        |  transport.Handler
//	               v                              v
//	+--------------------------- Node ---------------------------+
//	|  submit ----> raft ----> fsm.Store <---- reads, read index  |
//	|  leadership --> term --> scheduler.Term --> peers.Assign    |
//	|                      \-> membership (learners, voters)      |
//	|  bootstrap, gossip       executor --> report to the leader  |
//	+------------------------------------------------------------+
//
// # Life of a node
//
// [Start] opens the store, restores a snapshot that is ahead of it (rule D1),
// starts raft, gossip and the peer port, and returns. From then on the node
// follows; whenever raft makes it leader, it commits that it takes office, builds
// a term object, and throws that away, with all it started, when leadership ends. Nothing
// survives a term.
//
// # Goroutines
//
// All belong to the node's group, or to the term's. [Node.Drain] hands leadership
// on and waits for the executor; [Node.Stop], and [Node.Kill] without telling
// anybody, return when every goroutine has ended.
//
// # Failure handling
//
// A term that cannot begin or go on hands leadership on, and tries again if
// nobody takes it. A failed write of raft's log or of the store, a name conflict
// or a peer port that closed ends the group: [Node.Failed] is closed and
// [Node.Err] says why. An entry that cannot be applied is a panic: the node must
// neither skip it nor go on.
package node
