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
// # The lease
//
// The lease counts from a reply of this node, which each batch names by its token,
// and runs on the monotonic clock of this machine. So its end does not depend on
// how long a batch was under way, or lay in the socket of a process that was
// stopped: the leader sent it after that reply had arrived, and the node knows when
// it gave it. A batch whose reply is older than the lease it grants, or is none of
// this life, is refused: its assignments may belong to someone else by now. Its
// aborts are done all the same, for what is cancelled stays cancelled, and its term
// is noted.
//
// A lease that is over is over for whoever looks first: the watch, the next batch,
// a worker about to take an attempt from the queue, and a request that has just got
// its connection. After a pause of the whole process any of them may be the first
// to run again. What remains is a pause between the last look and the write itself,
// which only the target could notice. A machine whose monotonic clock stands still
// while it is suspended does not know its lease has ended either.
//
// Batches of a program from before the tokens are marked by what they lack
// (job.Batch.Fenced); their lease counts from when they are read.
//
// # Once
//
// One attempt is one request on this node, redirects apart. [Executor.Accept]
// queues it only if it is not known; a queued one is taken by one worker, under the
// lock under which an abort, the end of the lease and the last word of
// [Executor.Drain] would end it instead; and a worker makes one exchange of it. It
// is remembered for longer than any batch that could assign it again is admitted.
// What net/http repeats by itself is stopped when the repeat gets its connection,
// unless nothing of the request was written or an HTTP/2 server has said that it
// did not process it.
//
// An outcome NODE_LOST with a StartedAt of zero promises that no byte of a request
// was written and none will be: the attempt may run elsewhere without harm, however
// delicate its job.
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
//   - No batch renews the lease in time: every attempt that has not ended is aborted with
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
