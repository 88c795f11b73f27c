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
//	   agenda                              feed
//	     |  due slots                        |  open executions, and each change
//	     v                                   v
//	+---------+                        +------------+  pending   +-------+
//	| planner |                        | dispatcher |<---------->| Begin |
//	+---------+                        +------------+  RetryAt   +-------+
//	     | Plan                              | running, aborting     |
//	     |              +--------+           v                       |
//	     |              | office |     +------------+  Batch         |
//	     |              +--------+---->| sender     |--------> node  |
//	     |     Report       |   may    | (per node) |<-- reply       |
//	     |       |          |   lease  +------------+                |
//	     |       v          |                | silence, undelivered, |
//	     |  +----------+    |                | another incarnation   |
//	     |  | recorder |    |                v                       |
//	     |  +----------+    |           +--------+   +--------+      |
//	     |       |          |           | losses |   | pruner |      |
//	     |       |          |           +--------+   +--------+      |
//	     v       v Record   v Confirm        v MarkLost   v Prune    v
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
//	PhaseWaiting,  nothing: the log makes it pending
//	PhaseBuffered,
//	PhaseQueued
//	PhaseClosed    forgotten; a late slot of its job that waited for it is planned
//
// # Goroutines
//
// All belong to one group that [Term.Run] waits for: planner, dispatcher, office,
// losses, announcer, pruner, a few recorder workers, one sender for each node, and
// one for each Plan or Begin under way. They share the nodes' states, the planner's holds
// and the office's last confirmation (each under its own mutex), and poke each
// other through channels of size one.
//
// # The lease
//
// Two requests of one job must not be open at once, so an attempt is given to
// another node only when its first node has closed its request for certain. With
// L for NodeLostAfter:
//
//   - Each reply of a node carries a token, and each batch names the reply that it
//     rests on. The lease that a batch grants ends 0.6 L after the node gave that
//     reply, by the node's own clock. A batch that rests on no reply of this life,
//     or on one older than that, starts nothing and renews nothing: the node
//     refuses it, and the same is sent again on the new reply. So it does not
//     matter how long a batch lay in the socket of a stopped node.
//   - The attempts of a node are LOST L after its last answer came, or after the
//     term began if none came.
//   - Before a sender grants leases or hands over assignments, the office must have
//     been confirmed: it asks the log again and again, and counts a confirmation
//     from when it asked for it, for L/4. Otherwise the sender says nothing.
//
// Within a term: the last reply was given before it came, so the last lease ends at
// most 0.6 L after it came, and the attempts are LOST L after that.
//
// Across terms: let P be when the last confirmation of a term was asked for, and c
// when a sender, about to build a batch, looked at it; c <= P + 0.25 L. The reply
// that the batch rests on had come by c. So the lease ends at c + 0.6 L <= P + 0.85
// L at the latest, however late the batch is written or read, for instance because
// the leader was paused in between. A majority knew the term to be in office after
// P, so any later term begins after P, and waits L from its own begin, or from an
// answer of the node, which obeys no earlier term from then on, and whose lease
// rests on an earlier reply.
//
// This asks of clocks only that none runs faster than another by 15 in 100, and
// that they go on while a process is stopped. While a whole machine sleeps, its
// clock may not: then its requests may still be open when it wakes, until its lease
// ends. And a node whose program is older than tokens counts its lease from when it
// reads a batch.
//
// # Attempts that were never delivered
//
// The wait for the lease is for what may be open. If each call that carried an
// attempt failed with [ErrNotDelivered], and this term planned the attempt, then no
// node has it, and none will: earlier terms did not know of it, and a later one
// finds it in the log only if this term's loss of it is not there. So when calls to
// its node fail, it is LOST at once. It costs an AT_MOST_ONCE job nothing, for the
// target was not called. What the feed told first is what earlier terms left; they
// may have delivered it.
//
// # Slots and when they are due
//
// [Next] walks the slots of a schedule: those of a cron expression or an interval from
// StartAt to EndAt, both included, or the one of RunAt. An interval is counted from
// StartAt if there is one. A slot is due at [DueAt]: later by the job's share of its
// jitter. The share follows from the job's ID, and is a part of the jitter or of the
// time to the next slot, whichever is shorter. So the slots of a job stay in their
// order, and each is due before the next one: at any time at most one slot of a job
// has been and is not due.
//
// The agenda goes by when slots are due, and so does all that asks how late one is.
// Slots name executions, gaps and the next run. Both travel in the entries: nothing is
// computed when one is applied.
//
// # Misfires
//
// A slot that is planned within ten seconds of being due is on time. What becomes of a
// later one is the job's misfire policy: see [job.MisfirePolicy]. With FIRE_ALL each
// late slot is planned by itself, and already two seconds make it a late one: it waits,
// as does the next one on time, while an execution of its job is open that it would
// trip over (where they may overlap, ten go at a time; those of backfills are in nobody's
// way). The planner leaves such a job
// alone until one of its executions ends, and looks again ten times a second.
//
// What a job gave up when it paused itself ([job.Job].GivenUp) is in the agenda too, and
// is planned as one gap.
//
// Schedules go by the wall clock ([Config].Now), looked at once a second at least.
// Set back, it fires nothing twice, since a job's next slot only ever moves on; set
// forward, it makes slots late.
//
// # Announcements
//
// A term begins with an event that tells who leads, and each member that is silent for
// so long that its attempts are LOST is announced once, until it answers again. A term
// knows nothing of earlier ones: it announces a node again that is still silent.
// Nobody is told while some member is too old for events.
//
// # Failure handling
//
//   - The term is over (Submit or Confirm returns [job.ErrNotLeader]): the group is
//     cancelled and Run returns the error.
//   - The outcome of a submit is unknown, or it failed otherwise: the planner, the
//     dispatcher and the losses look at the state again after a short pause, and
//     compare-and-swap in Apply keeps what was decided twice from happening twice.
//     The recorder tells the reporter, who reports again.
//   - The office is not confirmed: nothing is sent. Unless the term ends, nodes lose
//     their leases, and their attempts are LOST as if they were silent.
//   - A node does not answer: what it did not acknowledge is sent again. Its attempts
//     are LOST when its lease is over for certain, or at once if they never came to
//     it.
//   - A node answers with another incarnation: the attempts of the earlier one are
//     LOST at once.
//   - An attempt is LOST: another one is made. If its job wants AT_MOST_ONCE, and the
//     target may have been called, the execution ends as FAILED instead.
//   - A node refuses every batch: it gets no new attempts.
//   - A node is no member any more: no attempt is planned for it. While it has some,
//     it is called as before, so that they can end in peace, or are LOST.
//   - No node answers: slots are not planned. When one does, the misfire policy
//     decides about those that are late.
//   - A job's schedule cannot be read: the job is left out and logged, the others
//     go on.
//   - A node's wall clock differs from this one's: a metric and a warning say so.
package scheduler
