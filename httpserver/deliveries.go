package httpserver

import (
	"context"
	"net/http"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/internal/job"
)

// deliveryResults are what a delivery may come to.
var deliveryResults = []job.Result{job.Running, job.Retrying, job.Success, job.Failed, job.Cancelled}

// testWebhook is POST /webhooks/{id}/test.
func (s *Server) testWebhook(ctx context.Context, c *call) (*response, error) {
	id, err := c.webhookID()
	if err != nil {
		return nil, err
	}
	if err := c.bodyError(c.checkOnce(), decodeNothing(c.body)); err != nil {
		return nil, err
	}
	if err := s.checkWebhookWrite(ctx, c, id); err != nil {
		return nil, err
	}
	return writeOnce(c, startedDelivery, func(once *job.Idempotent[job.Execution]) (job.Execution, []byte, error) {
		x, again, err := s.config.Webhooks.Test(ctx, c.namespace(), id, once)
		return x, again, asNoSuchWebhook(err)
	})
}

// startedDelivery is 202: the event is still to be delivered.
func startedDelivery(x job.Execution) (*response, error) {
	d, err := encodeDelivery(x)
	if err != nil {
		return nil, err
	}
	return success(http.StatusAccepted, d)
}

// listDeliveries is GET /webhooks/{id}/deliveries.
func (s *Server) listDeliveries(ctx context.Context, c *call) (*response, error) {
	id, err := c.webhookID()
	if err != nil {
		return nil, err
	}
	q := c.listQuery(paramResult)
	ask := job.ExecutionQuery{
		Namespace: c.namespace(), Job: id, Result: oneOf(q, paramResult, deliveryResults...),
		Before: q.beforeExecution(), Limit: q.limit(),
	}
	if err := s.read(ctx, q); err != nil {
		return nil, err
	}
	if _, err := s.webhook(ctx, c, id); err != nil {
		return nil, err
	}
	p, err := s.config.Executions.List(ctx, ask)
	if err != nil {
		return nil, err
	}
	list := api.DeliveryList{Deliveries: make([]api.Delivery, 0, len(p.Executions)), NextCursor: q.executionCursor(p.Next)}
	for _, x := range p.Executions {
		d, err := encodeDelivery(x)
		if err != nil {
			return nil, err
		}
		list.Deliveries = append(list.Deliveries, d)
	}
	return success(http.StatusOK, list)
}
