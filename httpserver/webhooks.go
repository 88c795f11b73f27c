package httpserver

import (
	"context"
	"net/http"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/internal/job"
)

var errNoSuchWebhook = job.Errorf(job.CodeNotFound, "there is no such webhook")

func (s *Server) webhookRoutes() []route {
	return []route{
		newRoute("/webhooks", map[string]endpoint{
			http.MethodPost: {serve: s.createWebhook, write: true, role: job.RoleEditor},
			http.MethodGet:  {serve: s.listWebhooks},
		}),
		newRoute("/webhooks/{id}", map[string]endpoint{
			http.MethodGet:    {serve: s.getWebhook},
			http.MethodPut:    {serve: s.putWebhook, write: true, role: job.RoleEditor},
			http.MethodPatch:  {serve: s.patchWebhook, write: true, role: job.RoleEditor},
			http.MethodDelete: {serve: s.deleteWebhook, write: true, role: job.RoleEditor},
		}),
		newRoute("/webhooks/{id}/test", map[string]endpoint{
			http.MethodPost: {serve: s.testWebhook, write: true, role: job.RoleEditor},
		}),
		newRoute("/webhooks/{id}/deliveries", map[string]endpoint{
			http.MethodGet: {serve: s.listDeliveries},
		}),
	}
}

// createWebhook is POST /webhooks. The root key's webhook is the whole cluster's,
// unless the request names a namespace.
func (s *Server) createWebhook(ctx context.Context, c *call) (*response, error) {
	by, refused := c.creator()
	patch, err := decodeWebhook(c.body)
	if err != nil {
		return nil, c.bodyError(refused, err)
	}
	patch.creating, patch.whole = true, true
	spec, hook := job.DefaultSpec(), job.Hook{Cluster: c.key.Root && len(c.headerLines(headerNamespace)) == 0}
	spec.Overlap = job.OverlapAllow
	if err := c.bodyError(refused, c.checkOnce(), asError(patch.apply(&spec, &hook))); err != nil {
		return nil, err
	}
	return writeOnce(c, createdWebhook, func(once *job.Idempotent[job.Job]) (job.Job, []byte, error) {
		return s.config.Webhooks.Create(ctx, by, spec, hook, once)
	})
}

func createdWebhook(j job.Job) (*response, error) {
	res, err := webhookAnswer(http.StatusCreated, j)
	if err != nil {
		return nil, err
	}
	return res.with(headerLocation, basePath+"/webhooks/"+webhookName(j.ID)), nil
}

// getWebhook is GET /webhooks/{id}.
func (s *Server) getWebhook(ctx context.Context, c *call) (*response, error) {
	id, err := c.webhookID()
	if err != nil {
		return nil, err
	}
	if err := s.read(ctx, parseQuery(c.query, []string{paramConsistency})); err != nil {
		return nil, err
	}
	j, err := s.webhook(ctx, c, id)
	if err != nil {
		return nil, err
	}
	return webhookAnswer(http.StatusOK, j)
}

// webhook is the named one, if the caller may know of it.
func (s *Server) webhook(ctx context.Context, c *call, id job.ID) (job.Job, error) {
	j, err := s.config.Webhooks.Get(ctx, c.namespace(), id)
	if err == nil && !c.maySee(j.Hook) {
		err = errNoSuchWebhook
	}
	return j, asNoSuchWebhook(err)
}

// asNoSuchWebhook says what it is that is not there.
func asNoSuchWebhook(err error) error {
	if job.CodeOf(err) == job.CodeNotFound {
		return errNoSuchWebhook
	}
	return err
}

// maySee reports whether the caller may know of a webhook of a namespace that it sees:
// one of the whole cluster is the root key's, although it is in a namespace too.
func (c *call) maySee(h *job.Hook) bool { return h != nil && (c.key.Root || !h.Cluster) }

// putWebhook is PUT /webhooks/{id}.
func (s *Server) putWebhook(ctx context.Context, c *call) (*response, error) {
	return s.changeWebhook(ctx, c, true)
}

// patchWebhook is PATCH /webhooks/{id}.
func (s *Server) patchWebhook(ctx context.Context, c *call) (*response, error) {
	return s.changeWebhook(ctx, c, false)
}

// changeWebhook changes what the body names; the whole webhook if the rest is to
// become the default.
func (s *Server) changeWebhook(ctx context.Context, c *call, whole bool) (*response, error) {
	id, err := c.webhookID()
	if err != nil {
		return nil, err
	}
	patch, err := decodeWebhook(c.body)
	if err != nil {
		return nil, c.bodyError(err)
	}
	patch.whole = whole
	versions, err := parseIfMatch(c.headerLines(headerIfMatch))
	if err := c.bodyError(err); err != nil {
		return nil, together(err, s.hookPatchError(ctx, c, id, patch))
	}
	edit := func(spec *job.Spec, hook *job.Hook) error {
		if !c.maySee(hook) {
			return errNoSuchWebhook
		}
		return asError(patch.apply(spec, hook))
	}
	var j job.Job
	err = withVersions(versions, func(version uint64) (err error) {
		j, err = s.config.Webhooks.Update(ctx, c.namespace(), id, version, edit)
		return asNoSuchWebhook(err)
	})
	if err != nil {
		return nil, err
	}
	return webhookAnswer(http.StatusOK, j)
}

// hookPatchError is what is wrong with the patch of a request that is refused anyhow, as
// far as this node knows the webhook.
func (s *Server) hookPatchError(ctx context.Context, c *call, id job.ID, patch *webhookPatch) error {
	j, err := s.webhook(ctx, c, id)
	if err != nil {
		return asError(patch.errs)
	}
	spec, hook := j.Spec.Clone(), *j.Hook
	return asError(patch.apply(&spec, &hook))
}

// deleteWebhook is DELETE /webhooks/{id}.
func (s *Server) deleteWebhook(ctx context.Context, c *call) (*response, error) {
	id, err := c.webhookID()
	if err != nil {
		return nil, err
	}
	versions, err := parseIfMatch(c.headerLines(headerIfMatch))
	if err := together(err, parseQuery(c.query, nil).err()); err != nil {
		return nil, err
	}
	if err := s.checkWebhookWrite(ctx, c, id); err != nil {
		return nil, err
	}
	err = withVersions(versions, func(version uint64) error {
		return asNoSuchWebhook(s.config.Webhooks.Delete(ctx, c.namespace(), id, version))
	})
	if err != nil {
		return nil, err
	}
	return success(http.StatusOK, api.WebhookDeleted{WebhookID: webhookName(id), Deleted: true})
}

// checkWebhookWrite refuses a write to a webhook that the caller may not know of. It
// looks at this node's own state: a webhook never gets or loses [job.Hook].Cluster,
// and one that is not here yet is left to the leader, which looks again.
func (s *Server) checkWebhookWrite(ctx context.Context, c *call, id job.ID) error {
	if c.key.Root {
		return nil
	}
	j, err := s.config.Webhooks.Get(ctx, c.namespace(), id)
	if err == nil && !c.maySee(j.Hook) {
		return errNoSuchWebhook
	}
	return nil
}

// listWebhooks is GET /webhooks.
func (s *Server) listWebhooks(ctx context.Context, c *call) (*response, error) {
	q := c.listQuery(paramNamespace)
	namespace, err := c.listed(q)
	if err != nil {
		return nil, err
	}
	ask := job.JobQuery{Namespace: namespace, Hooks: true, After: q.afterJob(), Limit: q.limit()}
	if err := s.read(ctx, q); err != nil {
		return nil, err
	}
	p, err := s.config.Jobs.List(ctx, ask)
	if err != nil {
		return nil, err
	}
	list := api.WebhookList{Webhooks: []api.Webhook{}, NextCursor: q.jobCursor(p.Next)}
	for _, j := range p.Jobs {
		if c.maySee(j.Hook) {
			list.Webhooks = append(list.Webhooks, encodeWebhook(j))
		}
	}
	return success(http.StatusOK, list)
}

// webhookID reads the webhook that the path names.
func (c *call) webhookID() (job.ID, error) {
	id, ok := parseWebhookName(c.param)
	if !ok {
		return 0, errNoSuchWebhook
	}
	return id, nil
}
