// Package scheduler is what a leader does during one term of office: it plans
// the slots that are due, assigns attempts to nodes, records their outcomes and
// notices those that were lost.
//
// # A term
//
// A [Term] is built after the leader's barrier and thrown away with the term.
// It keeps no state that matters: what it knows it has read from the applied
// log (its [Agenda] and its [Feed]) or heard from the nodes since it began.
// Nothing is fired because the term decided it. It is fired because the applied
// decision came back through the feed:
//
//	      agenda                             feed
//	        |  due slots                       |  open executions, and each change
//	        v                                  v
//	   +---------+                       +------------+  pending   +--------+
//	   | planner |                       | dispatcher |<---------->| Begin  |
//	   +---------+                       +------------+  RetryAt   +--------+
//	        | Plan                             | running, aborting     |
//	        |                                  v                       |
//	        |                            +------------+  Batch         |
//	        |                            | sender     |--------> node  |
//	        |                            | (per node) |<-- reply       |
//	        |                            +------------+                |
//	        |        Report                    | silence,              |
//	        |          |                       | another incarnation   |
//	        |     +----------+                 v                       |
//	        |     | recorder |            +--------+    +--------+     |
//	        |     +----------+            | losses |    | pruner |     |
//	        |          | Record           +--------+    +--------+     |
//	        v          v                       | MarkLost   | Prune    v
//	+----------------------------------------------------------------------+
//	|                                the log                               |
//	+----------------------------------------------------------------------+
//
// # An execution, as the dispatcher sees it
//
//	PhaseRunning   in the queue of its node's sender until a batch with its
//	               assignment was acknowledged; watched until it changes
//	PhaseAborting  the same, with an abort instead of an assignment
//	PhasePending   in a heap by RetryAt; when due, a Begin gives it a node
//	PhaseWaiting   nothing: the log makes it pending
//	PhaseClosed    forgotten
//
// # Goroutines
//
// All belong to one group that [Term.Run] waits for: planner, dispatcher,
// losses, pruner, a few recorder workers, one sender for each node, and one for
// each Plan or Begin under way. They share the nodes' states (each under its own
// mutex) and poke each other through channels of size one.
//
// # Failure handling
//
//   - The term is over (Submit returns [job.ErrNotLeader]): the group is
//     cancelled and Run returns the error.
//   - The outcome of a submit is unknown, or it failed otherwise: the planner, the
//     dispatcher and the losses look at the state again after a short pause, and
//     compare-and-swap in Apply keeps what was decided twice from happening twice.
//     The recorder tells the reporter, who reports again.
//   - A node does not answer: what it did not acknowledge is sent again. After a
//     quarter of NodeLostAfter its lease is no longer renewed and it gets no new
//     assignments: a node that cannot be heard must not be kept alive. NodeLostAfter
//     after its last answer, or the last batch that may have renewed its lease
//     if that is later, its attempts are LOST. The lease is 0.6 of NodeLostAfter,
//     and a call that carries one ends after a quarter: the node's own requests
//     have ended by then.
//   - A node answers with another incarnation: the attempts of the earlier one are
//     LOST at once.
//   - A node is no member any more: nothing is sent to it, and its attempts are
//     LOST as if it were silent.
//   - No node answers: slots are not planned. When one does, the misfire rule
//     decides about those that are late.
//   - A job's schedule cannot be read: the job is left out and logged, the others
//     go on.
package scheduler
