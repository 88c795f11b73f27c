package fsm

import (
	"fmt"

	"github.com/hashicorp/raft"
)

// Snapshot costs nothing: the state is on disk already. raft compacts its log
// once [snapshot.Persist] has made sure of that.
func (s *Store) Snapshot() (raft.FSMSnapshot, error) { return snapshot{s}, nil }

// snapshot is the state at an index, or later.
type snapshot struct{ store *Store }

// Persist flushes the database, beside Apply, and closes the sink without
// content. The flush comes first: raft forgets what is below the snapshot.
func (p snapshot) Persist(to raft.SnapshotSink) error {
	own, ok := to.(*sink)
	if !ok {
		return fmt.Errorf("a snapshot of the store goes to Store.Snapshots, not to a %T", to)
	}
	applied, err := p.store.flush()
	if err != nil {
		return err
	}
	own.meta.Flushed, own.own = applied, true
	return own.Close()
}

// Release has nothing to release.
func (snapshot) Release() {}
