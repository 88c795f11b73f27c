package client

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/cronraft/cronraft/httpserver/api"
)

const pathCluster = "cluster"

// Cluster is the cluster as the server that is asked sees it, which needs no leader.
func (c *Client) Cluster(ctx context.Context, opts ...Option) (api.Cluster, error) {
	return send[api.Cluster](ctx, c, newCall(http.MethodGet, pathCluster).with(c, takesStale, opts))
}

// StateHash is the hash of the state of the server that is asked. To compare servers,
// make a client for each.
func (c *Client) StateHash(ctx context.Context, opts ...Option) (api.StateHash, error) {
	return send[api.StateHash](ctx, c, newCall(http.MethodGet, pathCluster, "state-hash").with(c, takesStale, opts))
}

// TransferLeadership makes a node lead, or the one that is most up to date if nodeID is
// empty, and returns the leader's ID.
func (c *Client) TransferLeadership(ctx context.Context, nodeID string, opts ...Option) (string, error) {
	body := map[string]string{}
	if nodeID != "" {
		body["nodeId"] = nodeID
	}
	q := newCall(http.MethodPost, pathCluster, "transfer-leadership").json(body).with(c, 0, opts)
	q.repeats = nodeID != "" // a server keeps no Idempotency-Key here
	out, err := send[api.LeadershipTransferred](ctx, c, q)
	return out.LeaderID, err
}

// RemoveNode takes a node out of the cluster for good.
func (c *Client) RemoveNode(ctx context.Context, nodeID string, opts ...Option) error {
	return c.do(ctx, newCall(http.MethodDelete, pathCluster, "nodes", nodeID).with(c, 0, opts), nil)
}

// Limits are what the server that is asked grants the API key, and what it takes at most.
func (c *Client) Limits(ctx context.Context, opts ...Option) (api.Limits, error) {
	return send[api.Limits](ctx, c, newCall(http.MethodGet, "limits").with(c, takesStale, opts))
}

// StatsFilter is the time that statistics are about.
type StatsFilter struct {
	// Window ends now; zero for a day. Step is how long each entry of the series is;
	// zero for a step that fits. Both are whole minutes.
	Window, Step time.Duration
}

// Stats are what became of the executions that ended within a window. Options: [Stale],
// [Namespace].
func (c *Client) Stats(ctx context.Context, f StatsFilter, opts ...Option) (api.Statistics, error) {
	q := newCall(http.MethodGet, "stats").minutes("window", f.Window).minutes("step", f.Step)
	return send[api.Statistics](ctx, c, q.with(c, takesStale|takesNamespace, opts))
}

// minutes sets a duration, unless it is zero.
func (q *call) minutes(name string, d time.Duration) *call {
	switch {
	case d%time.Minute != 0 || d < 0:
		q.fail("%s must be whole minutes, not %v", name, d)
	case d > 0:
		q.query.Set(name, fmt.Sprintf("%dm", d/time.Minute))
	}
	return q
}
