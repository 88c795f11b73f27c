package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/localcluster"
)

// crontabs imports crontabs into namespaces and exports them again.
type crontabs struct {
	c      *localcluster.Cluster
	target *localcluster.Target

	// mu guards requests.
	mu sync.Mutex
	// requests are what the target got.
	requests []string
}

func newCrontabs(t *testing.T, c *localcluster.Cluster) *crontabs {
	t.Helper()
	w := &crontabs{c: c}
	w.target = startTarget(t, func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.requests = append(w.requests, fmt.Sprintf("%s %s %s %s", r.Method, r.URL, r.Header.Get("Content-Type"), body))
	})
	return w
}

// read is a crontab of testdata, in which TARGET is the target.
func (w *crontabs) read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "crontab", name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "TARGET", w.target.URL)
}

// query names the target of commands.
func (w *crontabs) query() string { return "?targetUrl=" + url.QueryEscape(w.target.URL+"/command") }

// imported is what an import did.
type imported struct {
	Created, Updated, Unchanged, Deleted, Failed int
	Changes                                      []struct {
		Index        *int
		Name, Action string
		Problem      *struct {
			Detail string
			Errors []struct{ Field, Message string }
		}
	}
}

// post imports a text; one without a format is a crontab.
func (w *crontabs) post(ctx context.Context, t *testing.T, m member, query, text string) (done imported) {
	t.Helper()
	r := localcluster.Request{Method: "POST", Path: "/jobs/import" + query, Body: text, Header: map[string]string{"Content-Type": "text/plain"}}
	a := m.ask(ctx, t, w.c, 0, r)
	if a.Status != http.StatusOK {
		t.Fatalf("POST %s: status %d: %s", r.Path, a.Status, a.Body)
	}
	if err := a.Data(&done); err != nil {
		t.Fatal(err)
	}
	return done
}

func (done imported) want(t *testing.T, created, unchanged int) {
	t.Helper()
	if done.Created != created || done.Unchanged != unchanged || done.Updated+done.Deleted != 0 {
		t.Errorf("imported: %+v; want %d created and %d unchanged", done, created, unchanged)
	}
}

// wantFailures wants the lines of failures to be refused, by their numbers, and no
// other.
func (done imported) wantFailures(t *testing.T) imported {
	t.Helper()
	if done.Failed != len(failures) {
		t.Errorf("%d lines failed, want %d: %+v", done.Failed, len(failures), done)
	}
	for _, change := range done.Changes {
		said, fails := failures[*change.Index]
		if !fails {
			if change.Action == "FAILED" {
				t.Errorf("line %d failed: %+v", *change.Index, change.Problem)
			}
			continue
		}
		if p := change.Problem; p == nil || !strings.HasPrefix(p.Detail, fmt.Sprintf("line %d: ", *change.Index)) || !strings.Contains(p.Detail, said) {
			t.Errorf("line %d: %+v, want %q", *change.Index, p, said)
		} else if *change.Index == 19 && (len(p.Errors) != 1 || p.Errors[0].Field != "timezone" || !strings.Contains(p.Errors[0].Message, "Mars/Olympus")) {
			t.Errorf("line 19: %+v", p)
		}
	}
	return done
}

// jobs are those of a namespace, by their commands or else their names.
func (w *crontabs) jobs(ctx context.Context, t *testing.T, m member) map[string]map[string]any {
	t.Helper()
	var list struct{ Jobs []map[string]any }
	m.get(ctx, t, w.c, 0, "/jobs?limit=500", &list)
	named := map[string]map[string]any{}
	for _, j := range list.Jobs {
		var body struct{ Command string }
		if err := json.Unmarshal([]byte(fmt.Sprint(j["body"])), &body); err != nil || body.Command == "" {
			body.Command = fmt.Sprint(j["name"])
		}
		named[strings.Join(strings.Fields(body.Command), " ")] = j
	}
	return named
}

func (w *crontabs) run(ctx context.Context, t *testing.T, m member, j map[string]any) {
	t.Helper()
	m.want(ctx, t, w.c, 0, "POST", fmt.Sprintf("/jobs/%v/run", j["jobId"]), "", http.StatusAccepted, nil)
}

// wantRequest waits until the target has got a request.
func (w *crontabs) wantRequest(ctx context.Context, t *testing.T, want string) {
	t.Helper()
	until(ctx, t, w.c, 30*time.Second, "the request "+want, func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return slices.Contains(w.requests, want)
	})
}
