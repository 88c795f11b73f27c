package client

import (
	"context"
	"iter"
	"net/http"
	"time"

	"github.com/cronraft/cronraft/httpserver/api"
)

const pathKeys = "api-keys"

// The roles of an API key.
const (
	RoleAdmin  = "ADMIN"
	RoleEditor = "EDITOR"
	RoleReader = "READER"
)

// KeySpec is what a new API key is to be.
type KeySpec struct {
	Name string `json:"name,omitempty"`
	// Namespace is empty for the caller's, or that of the option.
	Namespace string `json:"namespace,omitempty"`
	Role      string `json:"role,omitempty"`
	// ExpiresAt is zero for a key that does not expire.
	ExpiresAt time.Time `json:"expiresAt,omitzero"`
}

// CreateKey makes an API key, which the answer shows this once. Options: [Namespace],
// [IdempotencyKey].
func (c *Client) CreateKey(ctx context.Context, s KeySpec, opts ...Option) (api.NewKey, error) {
	q := newCall(http.MethodPost, pathKeys).json(s).with(c, takesOnceKey|takesNewNamespace, opts)
	return send[api.NewKey](ctx, c, q)
}

// Key reads what is known of an API key. Options: [Stale].
func (c *Client) Key(ctx context.Context, id string, opts ...Option) (api.Key, error) {
	return send[api.Key](ctx, c, newCall(http.MethodGet, pathKeys, id).with(c, takesStale, opts))
}

// Keys iterates over the API keys. Options: [Stale], [Namespace].
func (c *Client) Keys(ctx context.Context, opts ...Option) iter.Seq2[api.Key, error] {
	return pages("", func(cursor string) ([]api.Key, *string, error) {
		list, err := c.KeyPage(ctx, Page{Limit: pageSize, Cursor: cursor}, opts...)
		return list.Keys, list.NextCursor, err
	})
}

// KeyPage reads one page of the API keys. Options: those of [Client.Keys].
func (c *Client) KeyPage(ctx context.Context, p Page, opts ...Option) (api.KeyList, error) {
	q := newCall(http.MethodGet, pathKeys).page(p.Limit, p.Cursor).with(c, takesStale|takesNamespace, opts)
	return send[api.KeyList](ctx, c, q)
}

// Rotation says how an API key gets a new secret.
type Rotation struct {
	// OverlapSeconds is how long the one before is accepted too; nil for a day.
	OverlapSeconds *int `json:"overlapSeconds,omitempty"`
}

// RotateKey gives an API key a new secret, which the answer shows this once. Options:
// [IdempotencyKey].
func (c *Client) RotateKey(ctx context.Context, id string, r Rotation, opts ...Option) (api.NewKey, error) {
	return send[api.NewKey](ctx, c, newCall(http.MethodPost, pathKeys, id, "rotate").json(r).with(c, takesOnceKey, opts))
}

// RevokeKey removes an API key; [ErrInUse] if it signs jobs, unless force.
func (c *Client) RevokeKey(ctx context.Context, id string, force bool, opts ...Option) error {
	return c.do(ctx, newCall(http.MethodDelete, pathKeys, id).flag("force", force).with(c, 0, opts), nil)
}
