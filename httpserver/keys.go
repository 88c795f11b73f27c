package httpserver

import (
	"context"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/internal/job"
)

// paramForce revokes a key that still signs jobs.
const paramForce = "force"

var errNoSuchKey = job.Errorf(job.CodeNotFound, "there is no such API key")

func (s *Server) keyRoutes() []route {
	return []route{
		newRoute("/api-keys", map[string]endpoint{
			http.MethodPost: {serve: s.createKey, write: true, role: job.RoleAdmin},
			http.MethodGet:  {serve: s.listKeys, role: job.RoleAdmin},
		}),
		newRoute("/api-keys/{id}", map[string]endpoint{
			http.MethodGet:    {serve: s.getKey, role: job.RoleAdmin},
			http.MethodDelete: {serve: s.revokeKey, write: true, role: job.RoleAdmin},
		}),
		newRoute("/api-keys/{id}/rotate", map[string]endpoint{
			http.MethodPost: {serve: s.rotateKey, write: true, role: job.RoleAdmin},
		}),
	}
}

// createKey is POST /api-keys.
func (s *Server) createKey(ctx context.Context, c *call) (*response, error) {
	by, refused := c.creator()
	k, err := decodeKey(c.body, by.Namespace, time.Now())
	if err := c.bodyError(refused, c.checkOnce(), err); err != nil {
		return nil, err
	}
	if !c.key.Root && k.Namespace != by.Namespace {
		return nil, errOtherNamespace
	}
	c.confidential = true
	return writeOnce(c, createdKey, func(once *job.Idempotent[NewKey]) (NewKey, []byte, error) {
		return s.config.Keys.Create(ctx, k, once)
	})
}

func createdKey(n NewKey) (*response, error) {
	res, err := success(http.StatusCreated, encodeNewKey(n))
	if err != nil {
		return nil, err
	}
	return res.with(headerLocation, basePath+"/api-keys/"+n.ID), nil
}

// listKeys is GET /api-keys.
func (s *Server) listKeys(ctx context.Context, c *call) (*response, error) {
	q := c.listQuery(paramNamespace)
	namespace, err := c.listed(q)
	if err != nil {
		return nil, err
	}
	var after string
	q.position(func(b []byte) bool {
		after = string(b)
		return after != ""
	})
	limit := q.limit()
	if err := s.read(ctx, q); err != nil {
		return nil, err
	}
	keys, err := s.config.Keys.List(ctx, namespace, after, limit+1)
	if err != nil {
		return nil, err
	}
	keys, next := page(keys, limit, func(k job.APIKey) *string { return q.nextCursor([]byte(k.ID)) })
	list := api.KeyList{Keys: make([]api.Key, 0, len(keys)), NextCursor: next}
	for i := range keys {
		if c.maySeeKey(&keys[i]) {
			list.Keys = append(list.Keys, encodeKey(&keys[i]))
		}
	}
	return success(http.StatusOK, list)
}

// maySeeKey reports whether the caller may know of a key of a namespace that it sees:
// the root key is in one too, and only itself knows of it.
func (c *call) maySeeKey(k *job.APIKey) bool { return c.key.Root || !k.Root }

// getKey is GET /api-keys/{id}.
func (s *Server) getKey(ctx context.Context, c *call) (*response, error) {
	if err := s.read(ctx, parseQuery(c.query, []string{paramConsistency})); err != nil {
		return nil, err
	}
	k, err := s.config.Keys.Get(ctx, c.namespace(), c.param)
	switch {
	case err != nil:
		return nil, asNoSuchKey(err)
	case !c.maySeeKey(&k):
		return nil, errNoSuchKey
	}
	return success(http.StatusOK, encodeKey(&k))
}

// asNoSuchKey says what it is that is not there.
func asNoSuchKey(err error) error {
	if job.CodeOf(err) == job.CodeNotFound {
		return errNoSuchKey
	}
	return err
}

// checkKeyWrite refuses a write to a key that the caller may not know of. It looks at
// this node's own state: which key is the root key never changes. One that is not
// here yet is left to the leader, which looks again.
func (s *Server) checkKeyWrite(ctx context.Context, c *call) error {
	if !utf8.ValidString(c.param) {
		return errNoSuchKey // an entry of the log could not name it
	}
	k, err := s.config.Keys.Get(ctx, c.namespace(), c.param)
	if err == nil && !c.maySeeKey(&k) {
		return errNoSuchKey
	}
	return nil
}

// rotateKey is POST /api-keys/{id}/rotate.
func (s *Server) rotateKey(ctx context.Context, c *call) (*response, error) {
	overlap, err := decodeRotation(c.body)
	if err := c.bodyError(c.checkOnce(), err); err != nil {
		return nil, err
	}
	if err := s.checkKeyWrite(ctx, c); err != nil {
		return nil, err
	}
	c.confidential = true
	return writeOnce(c, rotatedKey, func(once *job.Idempotent[NewKey]) (NewKey, []byte, error) {
		n, again, err := s.config.Keys.Rotate(ctx, c.namespace(), c.param, overlap, once)
		return n, again, asNoSuchKey(err)
	})
}

func rotatedKey(n NewKey) (*response, error) { return success(http.StatusOK, encodeNewKey(n)) }

// revokeKey is DELETE /api-keys/{id}.
func (s *Server) revokeKey(ctx context.Context, c *call) (*response, error) {
	q := parseQuery(c.query, []string{paramForce})
	force := oneOf(q, paramForce, "true", "false") == "true"
	if err := q.err(); err != nil {
		return nil, err
	}
	if err := s.checkKeyWrite(ctx, c); err != nil {
		return nil, err
	}
	if err := s.config.Keys.Revoke(ctx, c.namespace(), c.param, force); err != nil {
		return nil, asNoSuchKey(err)
	}
	return success(http.StatusOK, api.KeyRevoked{KeyID: c.param, Revoked: true})
}
