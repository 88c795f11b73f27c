package client

import (
	"context"
	"iter"
	"net/http"
	"strconv"
	"time"

	"github.com/cronraft/cronraft/httpserver/api"
)

// NextRuns are the coming slots of a job, at most 100; a count of zero is the server's
// default. Options: [Stale].
func (c *Client) NextRuns(ctx context.Context, id string, count int, opts ...Option) ([]api.NextRun, error) {
	q := newCall(http.MethodGet, pathJobs, id, "next-runs").with(c, takesStale, opts)
	if count != 0 {
		q.query.Set("count", strconv.Itoa(count))
	}
	out, err := send[api.NextRuns](ctx, c, q)
	return out.NextRuns, err
}

// Preview is a schedule that need not be a job's. Exactly one of CronExpression,
// IntervalSeconds and RunAt is needed.
type Preview struct {
	CronExpression  string    `json:"cronExpression,omitempty"`
	IntervalSeconds int       `json:"intervalSeconds,omitempty"`
	RunAt           time.Time `json:"runAt,omitzero"`
	Timezone        string    `json:"timezone,omitempty"`
	StartAt         time.Time `json:"startAt,omitzero"`
	EndAt           time.Time `json:"endAt,omitzero"`
	// From is the time after which the slots are; zero for now.
	From time.Time `json:"from,omitzero"`
	// Count is how many there are to be, at most 100; zero for the server's default.
	Count int `json:"count,omitempty"`
}

// PreviewSchedule tells the coming slots of a schedule.
func (c *Client) PreviewSchedule(ctx context.Context, p Preview, opts ...Option) ([]api.NextRun, error) {
	q := newCall(http.MethodPost, "schedules", "preview").json(p).with(c, 0, opts)
	q.reads = true
	out, err := send[api.NextRuns](ctx, c, q)
	return out.NextRuns, err
}

// AuditFilter is the period of an audit: the last day, if nothing is given.
type AuditFilter struct {
	// From counts, and To does not.
	From, To time.Time
	// LateAfter is the lateness from which on a slot is LATE; nil for one second.
	LateAfter *time.Duration
	// Limit is how many slots a page has at most, and Cursor where it begins.
	Limit  int
	Cursor string
}

// Audit iterates over what became of each slot of a job, oldest first. Options: [Stale].
func (c *Client) Audit(ctx context.Context, id string, f AuditFilter, opts ...Option) iter.Seq2[api.AuditSlot, error] {
	f.Limit = orPageSize(f.Limit)
	return pages(f.Cursor, func(cursor string) ([]api.AuditSlot, *string, error) {
		f := f
		f.Cursor = cursor
		list, err := c.AuditPage(ctx, id, f, opts...)
		return list.Slots, list.NextCursor, err
	})
}

// AuditPage reads one page of an audit, with its summary. Options: those of
// [Client.Audit].
func (c *Client) AuditPage(ctx context.Context, id string, f AuditFilter, opts ...Option) (api.Audit, error) {
	q := newCall(http.MethodGet, pathJobs, id, "audit").period(f.From, f.To).page(f.Limit, f.Cursor).with(c, takesStale, opts)
	if f.LateAfter != nil {
		q.query.Set("lateAfterMs", strconv.FormatInt(f.LateAfter.Milliseconds(), 10))
	}
	return send[api.Audit](ctx, c, q)
}
