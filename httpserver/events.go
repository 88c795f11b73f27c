package httpserver

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/internal/event"
	"github.com/cronraft/cronraft/internal/job"
)

const (
	headerLastEventID = "Last-Event-ID"
	// headerUnbuffered asks a proxy to pass each event on at once.
	headerUnbuffered = "X-Accel-Buffering"

	// The query parameters of /events.
	paramAfter = "after"
	paramTypes = "types"
	paramJobID = "jobId"

	contentEvents = "text/event-stream"

	// pingEvery is how long a stream is silent at most. It is how a client and what is
	// between know that the stream lives, and how it is noticed that the client is gone.
	pingEvery = 15 * time.Second
	// reconnect is what a client is told to wait before it comes back.
	reconnect = "retry: 1000\n"
	// eventChunk is about how much goes out in one write.
	eventChunk = 32 << 10
	// eventReset is what a stream says when events were lost on the way to it.
	eventReset = "reset"
)

// streamedEvents are all that a stream may have.
var streamedEvents = slices.Concat(
	[]job.EventType{job.EventJobCreated, job.EventJobUpdated, job.EventJobDeleted, job.EventExecutionStarted, job.EventExecutionRetrying},
	job.WebhookEvents, []job.EventType{job.EventTest},
)

func (s *Server) eventRoutes() []route {
	return []route{
		newRoute("/events", map[string]endpoint{
			http.MethodGet: {serve: s.getEvents, stream: true},
		}),
		newRoute("/stats", map[string]endpoint{
			http.MethodGet: {serve: s.getStats},
		}),
	}
}

// getEvents is GET /events. The stream begins at a read point, like every read: it has
// what happens after each write that was acknowledged before.
func (s *Server) getEvents(ctx context.Context, c *call) (*response, error) {
	q := parseQuery(c.query, []string{paramAfter, paramTypes, paramJobID, paramNamespace, paramConsistency})
	filter := q.eventFilter()
	after, resumes := c.lastEvent(q)
	var err error
	if filter.namespace, err = c.listed(q); err != nil {
		return nil, err
	}
	if err := s.read(ctx, q); err != nil {
		return nil, err
	}
	if !resumes {
		after = s.config.Events.Last()
	}
	run := func(ctx context.Context, w io.Writer) error {
		e := &eventStream{events: s.config.Events, filter: filter, after: after, to: w, silence: pingEvery}
		return e.run(ctx)
	}
	res := &response{status: http.StatusOK, contentType: contentEvents, stream: run}
	return res.with(headerUnbuffered, "no"), nil
}

// lastEvent is the event that the stream is to go on after; false if the caller names
// none. The header wins over the parameter: a client that comes back sends it beside
// the address that it began with.
func (c *call) lastEvent(q *query) (job.EventID, bool) {
	text, given := q.values[paramAfter]
	id, ok := event.ParseID(text)
	if given && !ok {
		q.add(paramAfter, ruleEventID)
	}
	if h := c.header(headerLastEventID); h != "" {
		if id, ok = event.ParseID(h); !ok {
			q.add(headerLastEventID, ruleEventID)
		}
	}
	return id, ok
}

const ruleEventID = `must be the ID of an event, for example "41-0"`

// eventFilter is what a reader wants to see and may.
type eventFilter struct {
	namespace string          // empty is every one, and the cluster
	types     []job.EventType // none is all
	job       job.ID          // zero is any
}

// eventFilter reads the filters but for the namespace.
func (q *query) eventFilter() eventFilter {
	var f eventFilter
	if text, given := q.values[paramTypes]; given {
		for name := range strings.SplitSeq(text, ",") {
			e := job.EventType(name)
			if !slices.Contains(streamedEvents, e) {
				q.add(paramTypes, "%q is not an event; they are %s", clip(name), enumerate(streamedEvents))
				break
			}
			f.types = append(f.types, e)
		}
	}
	if text, given := q.values[paramJobID]; given {
		id, ok := job.ParseID(text)
		if !ok || id == 0 { // zero would be any
			q.add(paramJobID, "is not the ID of a job")
		}
		f.job = id
	}
	return f
}

func (f *eventFilter) wants(e *job.Event) bool {
	return (f.namespace == "" || e.Namespace == f.namespace) &&
		(f.job == 0 || e.Job == f.job) &&
		(len(f.types) == 0 || slices.Contains(f.types, e.Type))
}

// eventStream is one reader on its way through the events. It keeps none of them: a
// reader that is too slow gets a reset or is cut off.
type eventStream struct {
	events Events
	filter eventFilter
	after  job.EventID // the last one that was looked at
	to     io.Writer
	// silence is how long it is silent at most.
	silence time.Duration
	out     bytes.Buffer // to be written next
}

// run writes events until ctx ends or a write fails.
func (e *eventStream) run(ctx context.Context) error {
	ping := time.NewTicker(e.silence)
	defer ping.Stop()
	e.out.WriteString(reconnect)
	e.mark()
	for {
		more, err := e.catchUp()
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-more:
		case <-ping.C:
			e.out.WriteString(": ping\n")
			e.mark()
		}
	}
}

// mark tells the reader how far the stream has come, which may be farther than the
// last event that it wanted: so it resumes from here.
func (e *eventStream) mark() {
	e.out.WriteString("id: " + event.FormatID(e.after) + "\n\n")
}

// catchUp writes all that the reader has not seen, and returns what is closed when
// there is more.
func (e *eventStream) catchUp() (<-chan struct{}, error) {
	events, more, complete := e.events.Since(e.after)
	if !complete {
		e.after = e.events.Last()
		if err := e.reset(); err != nil {
			return nil, err
		}
		return reached, e.flush()
	}
	for i := range events {
		e.after = events[i].ID
		if !e.filter.wants(&events[i]) {
			continue
		}
		if err := e.add(string(events[i].Type), events[i]); err != nil {
			return nil, err
		}
		if e.out.Len() < eventChunk {
			continue
		}
		if err := e.flush(); err != nil {
			return nil, err
		}
	}
	return more, e.flush()
}

// reached is closed: there is something to look at now.
var reached = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// reset tells that some events are lost, and that the stream goes on after e.after.
func (e *eventStream) reset() error {
	data, err := encodeJSON(api.Event{ID: event.FormatID(e.after), Type: eventReset, Timestamp: api.Time{Time: job.Instant(time.Now())}})
	if err != nil {
		return err
	}
	e.write(eventReset, data)
	return nil
}

func (e *eventStream) add(name string, v job.Event) error {
	data, err := event.Encode(v)
	if err != nil {
		return err
	}
	e.write(name, data)
	return nil
}

// write adds one event; JSON has no line breaks of its own.
func (e *eventStream) write(name string, data []byte) {
	e.out.WriteString("id: " + event.FormatID(e.after) + "\nevent: " + name + "\ndata: ")
	e.out.Write(bytes.TrimSuffix(data, []byte("\n")))
	e.out.WriteString("\n\n")
}

func (e *eventStream) flush() error {
	if e.out.Len() == 0 {
		return nil
	}
	_, err := e.to.Write(e.out.Bytes())
	e.out.Reset()
	return err
}
