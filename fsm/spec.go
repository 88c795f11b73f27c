package fsm

import (
	"time"

	"github.com/cronraft/cronraft/fsm/logpb"
	"github.com/cronraft/cronraft/internal/job"
)

func (w *writer) spec(s job.Spec) *logpb.Spec {
	return &logpb.Spec{
		Name:            s.Name,
		Description:     s.Description,
		Cron:            s.Schedule.Cron,
		IntervalMs:      s.Schedule.Interval.Milliseconds(),
		Timezone:        s.Schedule.Timezone,
		PauseReason:     s.PauseReason,
		Url:             s.Target.URL,
		Method:          s.Target.Method,
		Headers:         w.headers(s.Target.Headers),
		Body:            s.Target.Body,
		TimeoutMs:       s.Timeout.Milliseconds(),
		SuccessStatuses: s.SuccessStatuses,
		FollowRedirects: s.FollowRedirects,
		SignPayloads:    s.SignPayloads,
		Capture:         number[logpb.Capture](w, captures, s.Capture),
		Retries:         int64(s.Retries),
		RetryDelayMs:    s.RetryDelay.Milliseconds(),
		Backoff:         number[logpb.Backoff](w, backoffs, s.Backoff),
		RetryMaxDelayMs: s.RetryMaxDelay.Milliseconds(),
		Misfire:         number[logpb.MisfirePolicy](w, misfires, s.Misfire),
		CatchupWindowMs: window(s.CatchupWindow),
		Guarantee:       number[logpb.Guarantee](w, guarantees, s.Guarantee),

		Tags:               w.tags(s.Tags),
		ExternalId:         s.ExternalID,
		RunAt:              millis(s.Schedule.RunAt),
		StartAt:            millis(s.Schedule.StartAt),
		EndAt:              millis(s.Schedule.EndAt),
		MaxRuns:            int64(s.MaxRuns),
		JitterMs:           s.Jitter.Milliseconds(),
		PauseAfterFailures: int64(s.PauseAfterFailures),
	}
}

// window writes how old a missed slot may be that is made up for; nil for the
// default.
func window(d time.Duration) *int64 {
	if d == job.DefaultCatchupWindow {
		return nil
	}
	ms := d.Milliseconds()
	return &ms
}

// window reads what window writes.
func (r *reader) window(p *logpb.Spec) time.Duration {
	if p == nil || p.CatchupWindowMs == nil {
		return job.DefaultCatchupWindow
	}
	return r.duration(p.GetCatchupWindowMs(), time.Millisecond)
}

// spec reads all of a spec but its state and overlap policy, which are kept
// beside it.
func (r *reader) spec(p *logpb.Spec) job.Spec {
	return job.Spec{
		Name:        p.GetName(),
		Description: p.GetDescription(),
		Schedule: job.Schedule{
			Cron:     p.GetCron(),
			Interval: r.duration(p.GetIntervalMs(), time.Millisecond),
			Timezone: p.GetTimezone(),
			RunAt:    instant(p.GetRunAt()),
			StartAt:  instant(p.GetStartAt()),
			EndAt:    instant(p.GetEndAt()),
		},
		PauseReason:     p.GetPauseReason(),
		Target:          r.target(p),
		Timeout:         r.duration(p.GetTimeoutMs(), time.Millisecond),
		SuccessStatuses: p.GetSuccessStatuses(),
		FollowRedirects: p.GetFollowRedirects(),
		SignPayloads:    p.GetSignPayloads(),
		Capture:         word(r, captures, p.GetCapture()),
		Retries:         int(p.GetRetries()),
		RetryDelay:      r.duration(p.GetRetryDelayMs(), time.Millisecond),
		Backoff:         word(r, backoffs, p.GetBackoff()),
		RetryMaxDelay:   r.duration(p.GetRetryMaxDelayMs(), time.Millisecond),
		Misfire:         word(r, misfires, p.GetMisfire()),
		CatchupWindow:   r.window(p),
		Guarantee:       word(r, guarantees, p.GetGuarantee()),

		Tags:               r.tags(p.GetTags()),
		ExternalID:         p.GetExternalId(),
		MaxRuns:            int(p.GetMaxRuns()),
		Jitter:             r.duration(p.GetJitterMs(), time.Millisecond),
		PauseAfterFailures: int(p.GetPauseAfterFailures()),
	}
}

func (r *reader) target(p *logpb.Spec) job.Target {
	t := job.Target{URL: p.GetUrl(), Method: p.GetMethod()}
	if p != nil {
		t.Body = p.Body
	}
	for _, h := range p.GetHeaders() {
		t.Headers = append(t.Headers, job.Header{Name: h.GetName(), Sealed: octets(h.GetSealed())})
	}
	return t
}

// headers refuses a value in plain text: it would be on every disk.
func (w *writer) headers(headers []job.Header) []*logpb.Header {
	var list []*logpb.Header
	for _, h := range headers {
		if h.Value != "" {
			w.fail("the value of header %q is not sealed", h.Name)
		}
		list = append(list, &logpb.Header{Name: h.Name, Sealed: h.Sealed})
	}
	return list
}

func (w *writer) tags(tags []job.Tag) []*logpb.Tag {
	var list []*logpb.Tag
	for _, t := range tags {
		list = append(list, &logpb.Tag{Key: t.Key, Value: t.Value})
	}
	return list
}

func (r *reader) tags(list []*logpb.Tag) []job.Tag {
	var tags []job.Tag
	for _, p := range list {
		tags = append(tags, job.Tag{Key: p.GetKey(), Value: p.GetValue()})
	}
	return tags
}

func (w *writer) hook(h *job.Hook) *logpb.Hook {
	if h == nil {
		return nil
	}
	p := &logpb.Hook{Cluster: h.Cluster}
	for _, e := range h.Events {
		p.Events = append(p.Events, string(e))
	}
	if h.Tag != nil {
		p.Tag = &logpb.Tag{Key: h.Tag.Key, Value: h.Tag.Value}
	}
	return p
}

func (r *reader) hook(p *logpb.Hook) *job.Hook {
	if p == nil {
		return nil
	}
	h := &job.Hook{Cluster: p.GetCluster()}
	for _, e := range p.GetEvents() {
		h.Events = append(h.Events, job.EventType(e))
	}
	if p.GetTag() != nil {
		h.Tag = &job.Tag{Key: p.GetTag().GetKey(), Value: p.GetTag().GetValue()}
	}
	return h
}
