package httpserver

import (
	"fmt"
	"strings"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/internal/event"
	"github.com/cronraft/cronraft/internal/job"
)

// A webhook is a job, but its name does not look like one's.
const (
	webhookPrefix = "wh_"
	jobPrefix     = "job_"
)

func webhookName(id job.ID) string { return webhookPrefix + strings.TrimPrefix(id.String(), jobPrefix) }

// parseWebhookName reads what webhookName writes.
func parseWebhookName(s string) (job.ID, bool) {
	digits, ok := strings.CutPrefix(s, webhookPrefix)
	if !ok {
		return 0, false
	}
	return job.ParseID(jobPrefix + digits)
}

// encodeWebhook maps a webhook to its public form. Header values stay secret.
func encodeWebhook(j job.Job) api.Webhook {
	w := api.Webhook{
		WebhookID:   webhookName(j.ID),
		URL:         j.Target.URL,
		Events:      []string{},
		Description: optional(j.Description),
		Headers:     hiddenHeaders(j.Target.Headers),
		State:       string(j.State),
		Namespace:   j.Namespace,
		Version:     j.Version,
		CreatedAt:   api.Time{Time: j.CreatedAt},
		UpdatedAt:   api.Time{Time: j.UpdatedAt},

		LastDeliveryAt:      instant(j.LastRunAt),
		LastResult:          optional(string(j.LastResult)),
		ConsecutiveFailures: j.ConsecutiveFailures,
		Counts:              api.Counts(j.Counts),
	}
	if j.Hook == nil {
		return w
	}
	for _, e := range j.Hook.Events {
		w.Events = append(w.Events, string(e))
	}
	if t := j.Hook.Tag; t != nil {
		text := t.Key + ":" + t.Value
		w.Tag = &text
	}
	return w
}

// webhookAnswer is success with the webhook and its ETag.
func webhookAnswer(status int, j job.Job) (*response, error) {
	r, err := success(status, encodeWebhook(j))
	if err != nil {
		return nil, err
	}
	return r.with(headerETag, etag(j.Version)), nil
}

// encodeDelivery maps an execution of a webhook.
func encodeDelivery(x job.Execution) (api.Delivery, error) {
	if x.Event == nil {
		return api.Delivery{}, fmt.Errorf("the execution %s is no delivery: it has no event", x.ID)
	}
	return api.Delivery{
		DeliveryID: x.ID.String(),
		WebhookID:  webhookName(x.ID.Job),
		Event:      event.Public(*x.Event),
		CreatedAt:  api.Time{Time: x.CreatedAt},
		FinishedAt: instant(x.FinishedAt),
		Result:     string(x.Result),
		Attempt:    attemptNumber(&x),
		HTTPStatus: optional(x.HTTPStatus),
		Error:      encodeError(x.Err),
	}, nil
}
