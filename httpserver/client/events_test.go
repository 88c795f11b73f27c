package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cronraft/cronraft/httpserver/client"
)

// streaming answers with a stream that is whole, then ends it, or breaks it.
func streaming(text string, end func(*http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, text)
		w.(http.Flusher).Flush()
		end(r)
	}
}

func ends(*http.Request) {}

func breaks(*http.Request) { panic(http.ErrAbortHandler) }

func stays(r *http.Request) { <-r.Context().Done() }

func message(id string) string {
	return fmt.Sprintf("id: %s\nevent: job.created\ndata: {\"id\":%q,\"type\":\"job.created\",\"data\":{}}\n\n", id, id)
}

// read follows until there are count events, and returns their IDs.
func read(ctx context.Context, t *testing.T, c *client.Client, f client.EventFilter, count int, opts ...client.Option) string {
	t.Helper()
	var ids []string
	for e, err := range c.Events(ctx, f, opts...) {
		if err != nil {
			t.Fatalf("after %v: %v", ids, err)
		}
		if ids = append(ids, e.ID); len(ids) == count {
			break
		}
	}
	return strings.Join(ids, " ")
}

// A stream that ends, breaks or is cut within an event goes on at another server after
// the last whole event, or where the server said that it was.
func TestEvents_GoOn(t *testing.T) {
	t.Parallel()
	a := newFake(t, streaming("retry: 1000\nid: 4-0\n\n"+message("5-0")+": ping\nid: 6-2\n\n", ends), problem(503, "no_leader", ""))
	b := newFake(t, streaming(message("7-0")+"id: 8-0\ndata: {\"id\":", breaks), problem(503, "no_leader", ""))
	c := newFake(t, problem(503, "no_leader", ""), streaming(message("8-0")+message("8-1"), stays))
	cl := newClient(t, soon, a.URL, b.URL, c.URL)
	filter := client.EventFilter{After: "3-0", Types: []string{"job.created", "job.deleted"}, JobID: "job_1"}
	if got := read(t.Context(), t, cl, filter, 4, client.Namespace("team")); got != "5-0 7-0 8-0 8-1" {
		t.Errorf("got %s", got)
	}
	var after []string
	for _, r := range append(append(a.seen()[:1], b.seen()[0]), c.seen()...) {
		after = append(after, r.header.Get("Last-Event-ID"))
		if want := "/api/cron-service/events?jobId=job_1&namespace=team&types=job.created%2Cjob.deleted"; r.uri != want {
			t.Errorf("got %s", r.uri)
		}
	}
	if got := strings.Join(after, " "); got != "3-0 6-2 7-0 7-0" {
		t.Errorf("the streams went on after %s", got)
	}
}

func TestEvents_Reset(t *testing.T) {
	t.Parallel()
	a := newFake(t, streaming("id: 9-0\nevent: reset\ndata: {\"id\":\"9-0\",\"type\":\"reset\"}\n\n", stays))
	for e, err := range newClient(t, soon, a.URL).Events(t.Context(), client.EventFilter{After: "1-0"}) {
		if err != nil || e.Type != client.EventReset || e.ID != "9-0" {
			t.Errorf("got %+v, %v", e, err)
		}
		break
	}
}

// A stream without an ID yet begins anew.
func TestEvents_BrokenBeforeTheFirst(t *testing.T) {
	t.Parallel()
	a := newFake(t, streaming("retry: 1000\n", breaks), streaming(message("1-0"), stays))
	if got := read(t.Context(), t, newClient(t, soon, a.URL), client.EventFilter{}, 1); got != "1-0" {
		t.Errorf("got %s", got)
	}
	for _, r := range a.seen() {
		if id, given := r.header["Last-Event-Id"]; given {
			t.Errorf("it went on after %s", id)
		}
	}
}

func TestEvents_Silence(t *testing.T) {
	t.Parallel()
	a, b := newFake(t, streaming("id: 1-0\n\n", stays)), newFake(t, streaming(message("2-0"), stays))
	c := newClient(t, soon, a.URL, b.URL)
	c.SetSilence(100 * time.Millisecond)
	if got := read(t.Context(), t, c, client.EventFilter{}, 1); got != "2-0" {
		t.Errorf("got %s", got)
	}
}

func TestEvents_Errors(t *testing.T) {
	t.Parallel()
	short := soon
	short.RetryFor = time.Second
	for name, test := range map[string]struct {
		server string
		want   error
	}{
		"refused":     {newFake(t, problem(401, "unauthorized", "")).URL, client.ErrUnauthorized},
		"outage":      {refusing(t), client.ErrUnreachable},
		"no stream":   {newFake(t, data(200, 1)).URL, client.ErrUnexpected},
		"no event":    {newFake(t, streaming("data: {\n\n", stays)).URL, client.ErrUnexpected},
		"then no key": {newFake(t, streaming(message("1-0"), ends), problem(401, "unauthorized", "")).URL, client.ErrUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var last error
			for _, err := range newClient(t, short, test.server).Events(t.Context(), client.EventFilter{}) {
				last = err
			}
			if !errors.Is(last, test.want) {
				t.Errorf("got %v, want %v", last, test.want)
			}
		})
	}
}

func TestEvents_ContextEnds(t *testing.T) {
	t.Parallel()
	a := newFake(t, streaming(message("1-0"), stays))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	count := 0
	var last error
	for _, err := range newClient(t, soon, a.URL).Events(ctx, client.EventFilter{}) {
		count++
		last = err
		cancel()
	}
	if count != 2 || !errors.Is(last, context.Canceled) {
		t.Errorf("%d pairs, the last with %v", count, last)
	}
}

// A server that ends each stream at once is not asked in a hurry.
func TestEvents_NoHurry(t *testing.T) {
	t.Parallel()
	a := newFake(t, streaming("id: 1-0\n\n", ends))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	for range newClient(t, soon, a.URL).Events(ctx, client.EventFilter{}) {
	}
	if got := len(a.seen()); got < 2 || got > 6 {
		t.Errorf("it was asked %d times in a second", got)
	}
}
