package fsm

import (
	"github.com/cronraft/cronraft/fsm/logpb"
	"github.com/cronraft/cronraft/internal/job"
)

// init founds the cluster.
func (t *tx) init(d job.Init) job.Item {
	if t.state.clusterID != "" {
		return refuse(job.ErrStale)
	}
	t.put(clusterKey, &logpb.Cluster{Id: d.ClusterID})
	t.state.clusterID = d.ClusterID
	t.writeKey(d.RootKey)
	return job.Item{}
}

// raiseVersion lets entries up to a version be written from now on. This program
// reads them: one that did not would have stopped at this entry, which is of that
// version itself.
func (t *tx) raiseVersion(d job.RaiseVersion) job.Item {
	if d.Version > t.state.version {
		t.put(versionKey, &logpb.LogVersion{Version: uint32(d.Version)})
		t.state.version = d.Version
	}
	return job.Item{}
}

// dismissNode remembers the life of a node that was dismissed last. It does not
// compare lives: which of two is the later one cannot be told from their numbers
// if the node's clock was set back in between.
func (t *tx) dismissNode(n job.NodeRef) job.Item {
	t.put(dismissedKey(n.ID), &logpb.Dismissed{Incarnation: n.Incarnation})
	t.state.dismissed[n.ID] = n.Incarnation
	return job.Item{}
}

// ClusterID is the ID of the cluster whose state this is; empty before it was
// founded.
func (s *Store) ClusterID() string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.state.clusterID
}

// LogVersion is the version up to which entries may be written: every member
// reads it. It is 1 until a [job.RaiseVersion].
func (s *Store) LogVersion() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.state.version
}

// Dismissed is the life of a node that is not let in again; zero for none.
func (s *Store) Dismissed(id string) uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.state.dismissed[id]
}
