package client

import (
	"context"
	"iter"
	"net/http"

	"github.com/cronraft/cronraft/httpserver/api"
)

const pathWebhooks = "webhooks"

// WebhookSpec is all that a user says about a webhook. The zero value of a field leaves
// it out.
type WebhookSpec struct {
	URL string `json:"url,omitempty"`
	// Events are the types of events that it gets; "*" alone for all.
	Events []string `json:"events,omitempty"`
	// Tag, "key:value", restricts it to the events of jobs that have the tag.
	Tag         string            `json:"tag,omitempty"`
	Description string            `json:"description,omitempty"`
	Headers     map[string]string `json:"headers,omitempty"`
	// State is ACTIVE or PAUSED.
	State string `json:"state,omitempty"`
}

// WebhookPatch changes some fields of a webhook. Headers are merged into those of the
// webhook: nil removes one.
type WebhookPatch struct {
	URL         Change[string]             `json:"url,omitzero"`
	Events      Change[[]string]           `json:"events,omitzero"`
	Tag         Change[string]             `json:"tag,omitzero"`
	Description Change[string]             `json:"description,omitzero"`
	Headers     Change[map[string]*string] `json:"headers,omitzero"`
	State       Change[string]             `json:"state,omitzero"`
}

// CreateWebhook subscribes to events. That of the root key is the whole cluster's,
// unless a namespace is given. Options: [Namespace], [IdempotencyKey].
func (c *Client) CreateWebhook(ctx context.Context, s WebhookSpec, opts ...Option) (api.Webhook, error) {
	q := newCall(http.MethodPost, pathWebhooks).json(s).with(c, takesOnceKey|takesNewNamespace, opts)
	return send[api.Webhook](ctx, c, q)
}

// Webhook reads a webhook. Options: [Stale].
func (c *Client) Webhook(ctx context.Context, id string, opts ...Option) (api.Webhook, error) {
	return send[api.Webhook](ctx, c, newCall(http.MethodGet, pathWebhooks, id).with(c, takesStale, opts))
}

// ReplaceWebhook makes a webhook what s says. Options: [IfMatch].
func (c *Client) ReplaceWebhook(ctx context.Context, id string, s WebhookSpec, opts ...Option) (api.Webhook, error) {
	return send[api.Webhook](ctx, c, newCall(http.MethodPut, pathWebhooks, id).json(s).with(c, takesIfMatch, opts))
}

// UpdateWebhook changes some fields of a webhook. Options: [IfMatch].
func (c *Client) UpdateWebhook(ctx context.Context, id string, p WebhookPatch, opts ...Option) (api.Webhook, error) {
	return send[api.Webhook](ctx, c, newCall(http.MethodPatch, pathWebhooks, id).json(p).with(c, takesIfMatch, opts))
}

// DeleteWebhook removes a webhook, and what is still to be delivered to it. Options:
// [IfMatch].
func (c *Client) DeleteWebhook(ctx context.Context, id string, opts ...Option) error {
	return c.do(ctx, newCall(http.MethodDelete, pathWebhooks, id).with(c, takesIfMatch, opts), nil)
}

// TestWebhook delivers a test event. Options: [IdempotencyKey].
func (c *Client) TestWebhook(ctx context.Context, id string, opts ...Option) (api.Delivery, error) {
	return send[api.Delivery](ctx, c, newCall(http.MethodPost, pathWebhooks, id, "test").with(c, takesOnceKey, opts))
}

// Page is a part of a list: at most Limit items from Cursor on, which is the NextCursor
// of the page before.
type Page struct {
	Limit  int
	Cursor string
}

// Webhooks iterates over all webhooks. Options: [Stale], [Namespace].
func (c *Client) Webhooks(ctx context.Context, opts ...Option) iter.Seq2[api.Webhook, error] {
	return pages("", func(cursor string) ([]api.Webhook, *string, error) {
		list, err := c.WebhookPage(ctx, Page{Limit: pageSize, Cursor: cursor}, opts...)
		return list.Webhooks, list.NextCursor, err
	})
}

// WebhookPage reads one page of the webhooks. Options: those of [Client.Webhooks].
func (c *Client) WebhookPage(ctx context.Context, p Page, opts ...Option) (api.WebhookList, error) {
	q := newCall(http.MethodGet, pathWebhooks).page(p.Limit, p.Cursor).with(c, takesStale|takesNamespace, opts)
	return send[api.WebhookList](ctx, c, q)
}

// DeliveryFilter selects deliveries; what is left out selects all.
type DeliveryFilter struct {
	Result string
	Page
}

// Deliveries iterates over what a webhook was sent, newest first. Options: [Stale].
func (c *Client) Deliveries(ctx context.Context, id string, f DeliveryFilter, opts ...Option) iter.Seq2[api.Delivery, error] {
	f.Limit = orPageSize(f.Limit)
	return pages(f.Cursor, func(cursor string) ([]api.Delivery, *string, error) {
		f := f
		f.Cursor = cursor
		list, err := c.DeliveryPage(ctx, id, f, opts...)
		return list.Deliveries, list.NextCursor, err
	})
}

// DeliveryPage reads one page of the deliveries. Options: those of [Client.Deliveries].
func (c *Client) DeliveryPage(ctx context.Context, id string, f DeliveryFilter, opts ...Option) (api.DeliveryList, error) {
	q := newCall(http.MethodGet, pathWebhooks, id, "deliveries").set("result", f.Result).page(f.Limit, f.Cursor).with(c, takesStale, opts)
	return send[api.DeliveryList](ctx, c, q)
}
