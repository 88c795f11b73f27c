package localcluster

import (
	"context"
	"net/http"
	"time"
)

// viewTimeout bounds how long a server may take to tell its view of the cluster:
// a paused one never answers.
const viewTimeout = 3 * time.Second

// View is the cluster as one server sees it.
type View struct {
	NodeID   string
	LeaderID string // empty: it knows none
	Term     uint64
}

// View asks the i-th server for its view of the cluster.
func (c *Cluster) View(ctx context.Context, i int) (View, error) {
	ctx, cancel := context.WithTimeout(ctx, viewTimeout)
	defer cancel()
	answer, err := c.Call(ctx, i, http.MethodGet, "/cluster", "")
	if err != nil {
		return View{}, err
	}
	var v View
	err = answer.Data(&v)
	return v, err
}

// Leader is the index of the node that leads according to the first server that
// answers and knows.
func (c *Cluster) Leader(ctx context.Context) (int, error) {
	found := -1
	err := c.Until(ctx, func() bool {
		for i := range c.nodes {
			if found = c.leaderSeenBy(ctx, i); found >= 0 {
				return true
			}
		}
		return false
	})
	return found, err
}

func (c *Cluster) leaderSeenBy(ctx context.Context, i int) int {
	v, err := c.View(ctx, i)
	if err != nil {
		return -1
	}
	for k, n := range c.nodes {
		if n.ID == v.LeaderID {
			return k
		}
	}
	return -1
}
