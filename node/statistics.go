package node

import (
	"context"

	"github.com/cronraft/cronraft/internal/job"
)

// Statistics are what became of executions.
type Statistics struct{ n *Node }

// Statistics is the service for statistics.
func (n *Node) Statistics() Statistics { return Statistics{n} }

// Stats returns one for each step of the query's time, oldest first.
func (s Statistics) Stats(_ context.Context, q job.StatsQuery) ([]job.Stats, error) {
	return s.n.store.Stats(q)
}
