package api

// Event is what a stream and a webhook tell. Its ID is the same on every node.
type Event struct {
	ID        string    `json:"id"`
	Type      string    `json:"type"`
	Timestamp Time      `json:"timestamp"`
	Namespace *string   `json:"namespace"`
	Data      EventData `json:"data"`
}

// EventData is what happened. What does not belong to the type is left out.
type EventData struct {
	JobID               string          `json:"jobId,omitempty"`
	JobName             string          `json:"jobName,omitempty"`
	Version             uint64          `json:"version,omitempty"`
	ExecutionID         string          `json:"executionId,omitempty"`
	Trigger             string          `json:"trigger,omitempty"`
	ScheduledAt         *Time           `json:"scheduledAt,omitempty"`
	Result              string          `json:"result,omitempty"`
	HTTPStatus          int             `json:"httpStatus,omitempty"`
	Error               *ExecutionError `json:"error,omitempty"`
	MissedCount         int             `json:"missedCount,omitempty"`
	ConsecutiveFailures int             `json:"consecutiveFailures,omitempty"`
	NodeID              string          `json:"nodeId,omitempty"`
}

// Webhook is a subscription to events.
type Webhook struct {
	WebhookID string   `json:"webhookId"`
	URL       string   `json:"url"`
	Events    []string `json:"events"`
	// Tag, "key:value", restricts it to the events of jobs that have the tag.
	Tag         *string           `json:"tag"`
	Description *string           `json:"description"`
	Headers     map[string]string `json:"headers"`
	State       string            `json:"state"`
	Namespace   string            `json:"namespace"`
	Version     uint64            `json:"version"`
	CreatedAt   Time              `json:"createdAt"`
	UpdatedAt   Time              `json:"updatedAt"`

	LastDeliveryAt      *Time   `json:"lastDeliveryAt"`
	LastResult          *string `json:"lastResult"`
	ConsecutiveFailures int     `json:"consecutiveFailures"`
	Counts              Counts  `json:"counts"`
}

// WebhookList is a page of webhooks.
type WebhookList struct {
	Webhooks   []Webhook `json:"webhooks"`
	NextCursor *string   `json:"nextCursor"`
}

// WebhookDeleted answers the deletion of a webhook.
type WebhookDeleted struct {
	WebhookID string `json:"webhookId"`
	Deleted   bool   `json:"deleted"`
}

// Delivery is one event on its way to a webhook. Its ID is the webhook-id of the
// requests.
type Delivery struct {
	DeliveryID string          `json:"deliveryId"`
	WebhookID  string          `json:"webhookId"`
	Event      Event           `json:"event"`
	CreatedAt  Time            `json:"createdAt"`
	FinishedAt *Time           `json:"finishedAt"`
	Result     string          `json:"result"`
	Attempt    int             `json:"attempt"`
	HTTPStatus *int            `json:"httpStatus"`
	Error      *ExecutionError `json:"error"`
}

// DeliveryList is a page of deliveries, newest first.
type DeliveryList struct {
	Deliveries []Delivery `json:"deliveries"`
	NextCursor *string    `json:"nextCursor"`
}
