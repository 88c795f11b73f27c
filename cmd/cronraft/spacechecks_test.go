package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/localcluster"
)

// checkHooks looks at what the webhooks got: the events of their own namespace only,
// and of both for that of the whole cluster.
func (w *twoSpaces) checkHooks(t *testing.T) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, tt := range []struct {
		path  string
		sees  []*space
		blind []*space
	}{
		{"/default/hook", []*space{w.left}, []*space{w.right}},
		{"/depot/hook", []*space{w.right}, []*space{w.left}},
		{"/whole/hook", []*space{w.left, w.right}, nil},
	} {
		all := []byte(strings.Join(w.bodies[tt.path], "\n"))
		for _, s := range tt.sees {
			if !s.isIn(all) {
				t.Errorf("%s got nothing of %s: %s", tt.path, s.name, all)
			}
		}
		for _, s := range tt.blind {
			if s.isIn(all) {
				t.Errorf("%s got something of %s: %s", tt.path, s.name, all)
			}
		}
	}
}

// checkStats compares the numbers of each namespace with its own executions.
func (w *twoSpaces) checkStats(ctx context.Context, t *testing.T) {
	t.Helper()
	for _, s := range []*space{w.left, w.right} {
		var stats struct {
			Total struct{ Success, Failed, Skipped, Missed, Cancelled, Attempts int }
		}
		s.members[0].get(ctx, t, w.c, 1, "/stats?window=1h", &stats)
		each := s.runs + 3
		got := stats.Total
		if got.Success != 2*each+1 || got.Failed != each || got.Attempts != 3*each+1 || got.Skipped+got.Missed+got.Cancelled != 0 {
			t.Errorf("the statistics of %s are %+v; it has %d executions of each of three jobs, one of which fails, and one of another", s.name, got, each)
		}
	}
}

// checkEvents replays all events at each node with a key of each namespace, up to one
// that happens last.
func (w *twoSpaces) checkEvents(ctx context.Context, t *testing.T) {
	t.Helper()
	call(ctx, t, w.c, 0, "POST", "/webhooks/"+w.whole.webhook+"/test", "", http.StatusAccepted, nil)
	for _, pair := range [][2]*space{{w.left, w.right}, {w.right, w.left}} {
		mine, theirs := pair[0], pair[1]
		var last jobAnswer
		mine.admin().want(ctx, t, w.c, 0, "PATCH", "/jobs/"+mine.job, `{"name":"the last event"}`, http.StatusOK, &last)
		for node := range w.c.Len() {
			for _, m := range mine.members {
				seen := strings.Join(w.events(ctx, t, node, m.key, w.begin, "the last event"), "\n")
				for _, mark := range slices.Concat(theirs.marks, w.whole.marks, []string{"webhook.test", "event: reset"}) {
					if strings.Contains(seen, mark) {
						t.Errorf("a key of %s (%s) sees %q at node %d: %s", mine.name, m.role, mark, node, seen)
					}
				}
				for _, event := range []string{"job.created", "execution.started", "execution.succeeded", "execution.failed", "job.completed", "job.updated"} {
					if !strings.Contains(seen, "event: "+event) {
						t.Errorf("a key of %s (%s) sees no %s at node %d: %s", mine.name, m.role, event, node, seen)
					}
				}
			}
		}
	}
}

// events reads the stream of a node, after an event if one is named, up to and with
// the first line that has the text.
func (w *twoSpaces) events(ctx context.Context, t *testing.T, node int, key, after, text string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.c.Node(node).HTTP+localcluster.BasePath+"/events", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-API-KEY", key)
	if after != "" {
		r.Header.Set("Last-Event-ID", after)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var lines []string
	for scanner := bufio.NewScanner(answer.Body); scanner.Scan(); {
		lines = append(lines, scanner.Text())
		if strings.Contains(scanner.Text(), text) {
			return lines
		}
	}
	t.Fatalf("the stream of node %d, status %d, ended before %q: %q", node, answer.StatusCode, text, lines)
	return nil
}

// checkPrune deletes all that one namespace declares, and changes it in bulk: the other
// keeps its own.
func (w *twoSpaces) checkPrune(ctx context.Context, t *testing.T) {
	t.Helper()
	before := w.view(ctx, t, w.right)
	m := w.left.admin()
	var done struct{ Created, Updated, Deleted, Failed int }
	same := `{"jobs":[{"name":"job only","externalId":"only-depot","intervalSeconds":60,"targetUrl":"http://127.0.0.1:9/"}]}`
	m.want(ctx, t, w.c, 1, "POST", "/jobs/apply?prune=true", same, http.StatusOK, &done)
	if done.Created != 1 || done.Deleted != 3 || done.Updated+done.Failed != 0 {
		t.Errorf("applied: %+v", done)
	}
	m.want(ctx, t, w.c, 1, "PUT", "/jobs/by-external-id/bad", strangeJob, http.StatusCreated, nil)
	m.want(ctx, t, w.c, 1, "DELETE", "/webhooks/"+w.left.webhook, "", http.StatusOK, nil)
	if after := w.view(ctx, t, w.right); after != before {
		t.Errorf("%s was changed by what %s declared:\n%s\nit was\n%s", w.right.name, w.left.name, after, before)
	}
}

// checkPages reads what is served without a key.
func (w *twoSpaces) checkPages(ctx context.Context, t *testing.T) {
	t.Helper()
	for node := range w.c.Len() {
		for _, path := range []string{"/metrics", "/readyz", "/healthz"} {
			text := fetch(ctx, t, "http://"+w.c.Node(node).HTTP+path)
			for _, mark := range slices.Concat(w.left.marks, w.right.marks, w.whole.marks) {
				if strings.Contains(text, mark) {
					t.Errorf("%s of node %d shows %q to everybody", path, node, mark)
				}
			}
		}
	}
}

// fetch is a page of a node.
func fetch(ctx context.Context, t *testing.T, url string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: status %d, %v: %s", url, answer.StatusCode, err, text)
	}
	return string(text)
}
