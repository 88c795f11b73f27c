// Package fsm is the replicated state machine: it applies the decisions of the
// log to a Pebble database, the same on every node, and answers reads from it.
//
// What a decision means is decided by the state and the entry alone. There is no
// clock, no chance and no goroutine here; every time, ID, next slot and choice of
// node comes in the entry. A rule that says no is an answer ([job.Item].Err); an
// entry that cannot be decoded, or is newer than this program, panics, since to
// skip it would be to diverge.
//
// # On disk
//
//	Dir/CURRENT       the name of the database's folder, switched atomically
//	Dir/db-N          the Pebble database
//	Dir/snapshots     raft's snapshots: metadata, or what a leader sent
//	Dir/checkpoint-N  what is being streamed to a follower, or as a backup
//
// Pebble runs without a write-ahead log: raft's log is one. The state and the
// index of the last applied entry are in one Pebble batch, so after a crash the
// database is what it was at some earlier entry, and raft hands over the rest
// again; entries at or below the index are skipped.
//
// The keys, all integers big-endian:
//
//	j/ID               Definition, changed by users
//	s/ID               JobState, changed by planning and recording
//	n/NAMESPACE/ID     empty: the jobs of a namespace, and
//	w/NAMESPACE/ID     its webhooks, which are jobs that have a Hook
//	e/NAMESPACE/EXT    JobRef, the job that has an external ID
//	x/ID ORDER         Execution, the record
//	o/ID ORDER         OpenExecution, while it is not over
//	k/HASH  ki/ID      APIKey, and the hash of the key with an ID
//	kp/HASH            KeyRef, the key whose secret it was before the last rotation
//	u/KEY ID           empty: the jobs and webhooks that a key signs for
//	a/HASH             Answer of a write that its caller may repeat
//	at/TIME HASH       empty: the answers by time
//	d/NODE             Dismissed, the life of a node that is not let in again
//	b/NAMESPACE MINUTE Minute, what became of the executions that ended in it
//	m/...              applied index, cluster ID, version of the log, retention
//	i/...              the index of the lists: each node's own, and no part of the
//	                   state that all have; see index.go. Members that read version 2
//	                   at most know of none, and are sent none
//
// # In memory
//
// The agenda (jobs by when their next slot is due), the open executions, the queues
// of backfills, the webhooks, the IDs of the API keys, the dismissed nodes and the
// feeds are rebuilt from the database when it is opened. The newest events are not: a
// reader is told that it has missed some.
//
// # Events
//
// From version 3 on, entries make events: what became of jobs and executions. Their
// IDs, the index of the entry and a number within it, are the same on every node.
// An event that an ACTIVE webhook wants opens an execution of the webhook, in the
// same entry; deliveries make no events.
//
// # Versions
//
// Each entry has a version, and a node stops at one above [Version]. A decision
// is written in the lowest version that can express it, [VersionOf], and then
// byte for byte as it ever was. What came with a version leaves no trace in the
// state before it is used, so old and new members have the same state. The state
// keeps the version that every member reads, [Store.LogVersion]; a leader raises
// it with [job.RaiseVersion] and submits nothing above it. A program that reads
// less than that does not open the state.
//
//	1  all kinds up to TakeOffice
//	2  BUFFER_ONE, misfire policies, catch-up windows, guarantees, answers that
//	   are given again, slots that an edit gives up; Cancel, the final losses of
//	   MarkLost, PruneAnswers, RaiseVersion, DismissNode
//	3  tags, external IDs, bounds and limits of schedules, due times, pauses after
//	   failures, PutJobs that delete or are applied whole, webhooks, keys that are
//	   rotated or expire; Backfill, PutKey, DeleteKey, Announce, TryHook; and events,
//	   statistics and the list of who signs with which key, once the version is raised
//
// What an entry means never changes. testdata/log has a golden entry of each kind
// and version, and whole logs as versions 1 and 2 wrote them.
//
// # Snapshots
//
// A snapshot of its own is a flush of Pebble and a page of metadata. When a
// follower needs one, a checkpoint is made and streamed; it may be newer than
// the snapshot says, since entries that it contains already are skipped. What a
// follower receives is unpacked into a new folder, opened, and made current by
// one rename: a crash leaves the old state or the new one. A [Backup] is such a
// stream, too, and says at which index it is.
//
// # Concurrency
//
// raft calls Apply, ApplyBatch, Snapshot and Restore from one goroutine at a
// time. Everything else may be called at any time from any goroutine and sees
// the state between two calls of ApplyBatch.
//
// # Failure
//
// A database that cannot be read or written panics with a message that says so:
// the node must stop, and its peers go on.
package fsm
