package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/cronraft/cronraft/httpserver/api"
)

// EventReset is the type of an event which says that some events before it are lost: the
// cluster no longer remembers them. Whoever follows a state reads it anew then.
const EventReset = "reset"

// defaultSilence is how long a stream may say nothing: servers say something every 15 s.
const defaultSilence = 45 * time.Second

// steady is how long a connection has to last for the next one to be made at once.
const steady = 10 * time.Second

// EventFilter selects events; what is left out selects all that happen from now on.
type EventFilter struct {
	// After is the ID of the last event that is known already. Those after it come
	// first.
	After string
	Types []string
	JobID string
}

// Events follows what happens, in order, until the context ends or the loop is left. If
// the connection breaks it goes on at another server, after the last event: none is lost
// and none comes twice. An event of type [EventReset] tells if that was not possible.
//
// An error ends the events: the context's, that of a server that refuses, or that of an
// outage which lasts longer than [Config].RetryFor. Whoever goes on later gives After the
// ID of the last event. Options: [Stale], [Namespace].
func (c *Client) Events(ctx context.Context, f EventFilter, opts ...Option) iter.Seq2[api.Event, error] {
	return func(yield func(api.Event, error) bool) {
		e := &eventReader{client: c, filter: f, opts: opts, last: f.After, yield: yield}
		if err := e.run(ctx); err != nil {
			yield(api.Event{}, err)
		}
	}
}

// eventReader follows events across connections.
type eventReader struct {
	client *Client
	filter EventFilter
	opts   []Option
	// last is the event to go on after; empty for those from now on.
	last  string
	yield func(api.Event, error) bool
	// left: the loop was left.
	left bool
	// fruitless is how many connections in a row broke soon.
	fruitless int
}

// run returns nil if the loop was left.
func (e *eventReader) run(ctx context.Context) error {
	for {
		began := time.Now()
		s, err := e.connect(ctx)
		if err != nil || e.left {
			return err
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("client: follow events: %w", err)
		}
		e.client.pool.failed(s, began, 0)
		if err := e.wait(ctx, time.Since(began) >= steady); err != nil {
			return err
		}
	}
}

// wait pauses before the next connection, unless the last one was worth it.
func (e *eventReader) wait(ctx context.Context, wasSteady bool) error {
	if wasSteady {
		e.fruitless = 0
		return nil
	}
	e.fruitless++
	timer := time.NewTimer(pause(e.fruitless))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return fmt.Errorf("client: follow events: %w", ctx.Err())
	case <-timer.C:
		return nil
	}
}

// connect reads one connection to its end. Its error is for no connection at all, or for
// what no other connection would do better.
func (e *eventReader) connect(ctx context.Context) (*server, error) {
	q := newCall(http.MethodGet, "events").set("types", strings.Join(e.filter.Types, ",")).set("jobId", e.filter.JobID)
	q.header.Set("Accept", mediaEvents)
	if e.last != "" {
		q.header.Set(headerLastEventID, e.last)
	}
	body, err := e.client.open(ctx, q.with(e.client, takesStale|takesNamespace, e.opts))
	if err != nil {
		return nil, err
	}
	defer body.Close()
	if !strings.HasPrefix(q.media, mediaEvents) {
		return nil, &Error{Code: CodeUnexpected, Server: q.from.base, Detail: fmt.Sprintf("the server sends %q instead of events", q.media)}
	}
	silence := e.client.silence
	alive := time.AfterFunc(silence, func() { _ = body.Close() }) // ends the read with an error
	defer alive.Stop()
	frames := newFrameReader(&watched{r: body, timer: alive, silence: silence})
	for {
		frame, err := frames.next()
		if err != nil {
			return q.from, nil // whatever broke: there are other connections
		}
		if done, err := e.take(frame); done {
			return q.from, err
		}
	}
}

// take hands out the event of a frame; done if that was the last one.
func (e *eventReader) take(f frame) (done bool, err error) {
	if f.data != "" {
		var event api.Event
		if err := json.Unmarshal([]byte(f.data), &event); err != nil {
			return true, &Error{Code: CodeUnexpected, Detail: "an event that this client cannot read: " + quote([]byte(f.data)), Cause: err}
		}
		e.fruitless = 0
		if !e.yield(event, nil) {
			e.left = true
		}
	}
	if f.id != "" {
		e.last = f.id
	}
	return e.left, nil
}

// watched puts the timer off whenever something comes.
type watched struct {
	r       io.Reader
	timer   *time.Timer
	silence time.Duration
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if n > 0 {
		w.timer.Reset(w.silence)
	}
	return n, err
}
