// Package executor runs the attempts that are assigned to this node: it makes
// the requests, ends them when it is told to or when it has lost its lease, and
// keeps every outcome until whoever leads has acknowledged it. It does not know
// who leads, and nothing of raft.
//
// # The life of an attempt
//
//	Accept            a slot is free           answer, deadline, abort
//	------> queued ---------------------> open ------------------------> ended
//	          |                                                            |
//	          | abort, end of the lease                       acknowledged |
//	          +------------------------------> ended                       v
//	                                                                remembered
//
// An attempt is named by its execution and number, and is started once: while it
// is queued, open or ended it is known, and after its outcome was acknowledged it
// is remembered for a while, so that an assignment that was sent twice dies here.
// An abort of an attempt that was never seen makes it an ended one, so that an
// assignment that comes after its own abort dies as well.
//
// # Goroutines
//
// [Executor.Run] owns all of them: the dispatcher, which starts a worker whenever
// the queue has an attempt and fewer than [Config].Concurrency workers run; the
// workers, each of which makes one request after the other while there are any;
// the lease watch; and a few senders, which empty the outbox. [Executor.Accept]
// only changes the state and pokes them, so it never waits for a callback.
//
// # Failure handling
//
//   - No batch renews the lease: every attempt that has not ended is aborted with
//     error NODE_LOST, before the leader may assign it elsewhere.
//   - The leader changes, or does not answer: outcomes wait in the outbox and are
//     sent again, after a pause that grows to a second, at once when a new leader
//     speaks up.
//   - The node stops: [Executor.Drain] waits for what is open, and at last aborts
//     it with NODE_LOST, so that others take over.
//   - The process dies: outcomes that were not acknowledged die with it. The next
//     life has another incarnation, from which the leader learns that every
//     attempt of this one is over.
package executor
