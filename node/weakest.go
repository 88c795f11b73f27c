package node

import (
	"context"
	"fmt"
	"slices"

	"github.com/hashicorp/raft"

	"github.com/cronraft/cronraft/internal/job"
)

// What the whole cluster may do depends on its weakest members: the oldest program
// says which log entries may be written, and the disks whether any can be.

// raise lets entries of a newer version be written once every member can read
// them, also those that are down.
func (m *membership) raise(ctx context.Context, servers []raft.Server, neighbours []neighbour) error {
	version := logVersion
	for _, s := range servers {
		n, ok := findNeighbour(neighbours, s)
		if !ok {
			return nil
		}
		version = min(version, n.LogVersion)
	}
	if version <= m.store.LogVersion() {
		return nil
	}
	if _, err := m.log.Submit(ctx, job.RaiseVersion{Version: version}); err != nil {
		return fmt.Errorf("raise the version of log entries to %d: %w", version, err)
	}
	m.logger.Info("every member can read newer log entries; using them from now on", "version", version)
	return nil
}

// lookAtDisks refuses writes if too few voters have room to commit them, and hands
// leadership on if this node's disk is full or slow and those of a majority are
// neither.
func (m *membership) lookAtDisks(ctx context.Context, servers []raft.Server, neighbours []neighbour) {
	voters, writable, full, fit := 0, 0, 0, 0
	for _, s := range servers {
		if s.Suffrage != raft.Voter {
			continue
		}
		voters++
		switch n, ok := findNeighbour(neighbours, s); {
		case ok && n.ReadOnly:
			full++
		case ok && n.Slow:
			writable++
		case ok:
			writable++
			fit++
		}
	}
	m.disk.majority.Store(full > 0 && writable <= voters/2)
	if !m.disk.isFit() && fit > voters/2 {
		m.handOver(ctx)
	}
}

func findNeighbour(neighbours []neighbour, s raft.Server) (neighbour, bool) {
	i := slices.IndexFunc(neighbours, func(n neighbour) bool { return n.ID == string(s.ID) })
	if i < 0 {
		return neighbour{}, false
	}
	return neighbours[i], true
}
