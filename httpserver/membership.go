package httpserver

import (
	"context"
	"net/http"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/internal/job"
)

// fieldNodeID names a node in a body.
const fieldNodeID = "nodeId"

// transferLeadership is POST /cluster/transfer-leadership. It writes nothing to the
// log, so an Idempotency-Key is ignored: a repetition that names the node changes
// nothing more.
func (s *Server) transferLeadership(ctx context.Context, c *call) (*response, error) {
	to, err := decodeTransfer(c.body)
	if err := c.bodyError(err); err != nil {
		return nil, err
	}
	leader, err := s.config.Cluster.TransferLeadership(ctx, to)
	if err != nil {
		return nil, err
	}
	return success(http.StatusOK, api.LeadershipTransferred{LeaderID: leader})
}

// decodeTransfer reads which node is to lead; empty leaves the choice to the cluster.
func decodeTransfer(body []byte) (to string, err error) {
	members, err := parseOptional(body)
	if err != nil {
		return "", err
	}
	var errs []job.FieldError
	for _, m := range members {
		text, isText := m.value.(string)
		switch {
		case m.name != fieldNodeID:
			errs = addField(errs, clip(m.name), "is not a field of a transfer")
		case m.value == nil:
		case !isText:
			errs = addField(errs, m.name, "must be a string, not %s", kind(m.value))
		case text == "":
			errs = addField(errs, m.name, "must not be empty")
		default:
			to = text
		}
	}
	return to, asError(errs)
}

// removeNode is DELETE /cluster/nodes/{id}.
func (s *Server) removeNode(ctx context.Context, c *call) (*response, error) {
	if err := parseQuery(c.query, nil).err(); err != nil {
		return nil, err
	}
	if err := s.config.Cluster.RemoveNode(ctx, c.param); err != nil {
		return nil, err
	}
	return success(http.StatusOK, api.NodeRemoved{NodeID: c.param, Removed: true})
}
