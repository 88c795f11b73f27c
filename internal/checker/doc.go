// Package checker decides, from outside data only, whether a run of a cluster
// kept the promises of docs/DESIGN.md: from what clients asked for and were
// answered, what targets received, what the API tells in the end, and what was
// done to the cluster ([History]). It knows nothing of the program: not its log,
// not its state, and not its cron engine.
//
// [Check] reports what is surely wrong. What may have been right, because the
// outcome of a write is unknown or a fault excuses it, it does not report; it
// counts what it excused and of how many jobs it knows nothing ([Stats]), so that
// a verdict that rests on excuses shows.
//
// # The states of a job
//
// The writes of one job are folded into a graph of moments (course.go): each is
// a state that the job may have been in, between two writes that took effect,
// and when. Writes that were answered took effect in their order, each between
// its begin and its answer. A write of unknown outcome took effect at any time
// after its begin, or never. Versions decide between those: every create and
// update raises the version by one, so the answers tell how many unknown writes
// came between two known ones, and the job at the end tells how many came at
// all. Moments from which the end cannot be reached are dropped.
//
//	create v1 ──── update v2 ──────────────── update v4
//	   ●───────────────●───────────────────┐      ●────── final v4
//	                   └─ unknown pause ─▶ ● ─────┘
//
// Here the pause surely took effect, between the two updates, at a time that
// nobody knows. If the second update were v3, it surely did not.
//
// The moments, widened by what clocks may differ, make the job's timeline: all
// states that are possible at an instant. A slot is demanded if in every one of
// them the job exists, is ACTIVE, and has the same schedule, of which it is a
// slot; it is allowed if in some one of them it is due. Policies count as known
// where all possible states agree.
//
// # Slots
//
// The slots of a schedule are found by brute force (schedule.go): every minute
// of the run is looked at, in the zone, with the rules for clocks that change;
// intervals are multiples since the Unix epoch.
//
// # What is excused, and why
//
//   - A missed slot, if for the whole grace the cluster could not plan: there was no
//     majority of untouched nodes, or an election and a start were under way
//     ([Limits].Recovery after the begin and the end of each fault). A fault of
//     a minority excuses no more than that. If an edit gave a slot up that was due
//     and not planned, the MISSED record needs no fault. Nor does one of FIRE_ALL,
//     whose slots wait behind each other.
//   - A late request, and a lost attempt, near a fault: the node that had it may be
//     one that was hit, and is only given up after [Limits].NodeLost.
//   - A lost attempt that the target has not seen: it never came to its node, and
//     what the next one costs is lateness, which is measured.
//   - A second request, if the attempt before it is recorded as lost with its
//     node: its outcome died there.
//   - Two requests open at once, while the node of one stands still (SIGSTOP), or is
//     cut off from the target: nobody can close its connection. A process that
//     goes on may also send what it was about to send; [Limits].AbortLag bounds both.
//   - A request that is closed as it is read: its sender had gone away, and it was
//     never open.
//   - A request after an acknowledged cancel or delete, for AbortLag: it was on its
//     way. Near a fault, until the node's lease has ended.
//   - Anything about time, by as much as a clock is wrong, while it is ([Fault].Skew).
//   - A missing record that retention may have removed, which is no more than
//     [Limits].HistoryPerJob and HistoryAge say, and the executions that were open.
//   - An execution that still waits by BUFFER_ONE, if others of its job were open
//     all the time.
//
// # What has to be recorded
//
// FinishedAt of a SKIPPED or MISSED record is taken for the instant of the
// decision. Slots after [History].Settled are not demanded, and executions that are
// still open are no violation if their slot is after it.
package checker
