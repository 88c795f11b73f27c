// Package node is one member of a cluster: it owns raft, the log store, gossip
// and the peer port, and glues the parts that must not know each other.
//
//	          httpserver (through cmd)          peers
//	               |  Jobs Executions Keys ...    |  transport.Handler
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
// # Writes
//
// Only a node whose term is in office writes; others refuse with [job.ErrNotLeader]
// before they look at anything. What a write decides from what the node knows (a
// version, a slot, a key) is compared again when its entry is applied, and decided
// anew if something came between. A write that is repeated with an idempotency key
// gets the first answer: the entry is looked up by whoever applies it, and, if a rule
// says no now that did not then, before it is submitted.
//
// Jobs and webhooks are the same to the log. What becomes of a definition (its state,
// its next slot, when that is due) is decided in one place, when it is made and when it
// is changed.
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
