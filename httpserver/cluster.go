package httpserver

import (
	"context"
	"net/http"
	"time"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/internal/job"
)

func (s *Server) clusterRoutes() []route {
	return []route{
		newRoute("/cluster", map[string]endpoint{
			http.MethodGet: {serve: s.getCluster},
		}),
		newRoute("/cluster/state-hash", map[string]endpoint{
			http.MethodGet: {serve: s.getStateHash},
		}),
		newRoute("/cluster/backup", map[string]endpoint{
			http.MethodGet: {serve: s.getBackup, role: job.RoleAdmin, root: true, stream: true},
		}),
		newRoute("/cluster/transfer-leadership", map[string]endpoint{
			http.MethodPost: {serve: s.transferLeadership, write: true, role: job.RoleAdmin, operates: true},
		}),
		newRoute("/cluster/nodes/{id}", map[string]endpoint{
			http.MethodDelete: {serve: s.removeNode, write: true, role: job.RoleAdmin, operates: true},
		}),
	}
}

// getCluster is GET /cluster. It is this node's own view, so that it also answers when
// there is no leader; it takes ?consistency= like every read and has no use for it.
func (s *Server) getCluster(ctx context.Context, c *call) (*response, error) {
	if err := checkLocalRead(c); err != nil {
		return nil, err
	}
	status, err := s.config.Cluster.Status(ctx)
	if err != nil {
		return nil, err
	}
	out := api.Cluster{
		NodeID: status.NodeID, LeaderID: optional(status.LeaderID), Term: status.Term,
		Nodes: make([]api.Node, 0, len(status.Nodes)),
	}
	for _, n := range status.Nodes {
		out.Nodes = append(out.Nodes, encodeNode(n))
	}
	return success(http.StatusOK, out)
}

func encodeNode(n ClusterNode) api.Node {
	return api.Node{
		NodeID: n.ID, HTTPAddr: n.HTTPAddr, PeerAddr: n.PeerAddr, Role: n.Role, State: n.State,
		AppliedIndex: n.AppliedIndex, OpenAttempts: n.OpenAttempts, Version: n.Version,
		ClockSkewMs: skewMs(n.ClockSkew), ReadOnly: n.ReadOnly,
	}
}

func skewMs(skew *time.Duration) *int64 {
	if skew == nil {
		return nil
	}
	ms := skew.Round(time.Millisecond).Milliseconds()
	return &ms
}

// getStateHash is GET /cluster/state-hash, of this node's state as it is.
func (s *Server) getStateHash(ctx context.Context, c *call) (*response, error) {
	if err := checkLocalRead(c); err != nil {
		return nil, err
	}
	index, hash, err := s.config.Cluster.StateHash(ctx)
	if err != nil {
		return nil, err
	}
	return success(http.StatusOK, api.StateHash{NodeID: s.config.NodeID, AppliedIndex: index, Hash: hash})
}

func checkLocalRead(c *call) error {
	q := parseQuery(c.query, []string{paramConsistency})
	q.stale()
	return q.err()
}
