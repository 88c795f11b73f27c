package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/localcluster"
)

// ask sends a request until somebody leads, and returns whatever comes then. It may be
// called in any goroutine.
func ask(ctx context.Context, t *testing.T, c *localcluster.Cluster, node int, r localcluster.Request) (a localcluster.Answer) {
	t.Helper()
	err := c.Until(ctx, func() bool {
		var err error
		if a, err = c.Do(ctx, node, r); err != nil {
			t.Errorf("%s %s on node %d: %v", r.Method, r.Path, node, err)
			return true
		}
		return a.Status != http.StatusServiceUnavailable || !strings.Contains(string(a.Body), `"no_leader"`)
	})
	if err != nil {
		t.Errorf("%s %s on node %d: no leader: %v", r.Method, r.Path, node, err)
	}
	return a
}

// member is whoever has an API key of one namespace.
type member struct {
	namespace, keyID, key string
}

// newMember makes an API key.
func newMember(ctx context.Context, t *testing.T, c *localcluster.Cluster, namespace, role string) member {
	t.Helper()
	var k struct{ KeyID, APIKey string }
	call(ctx, t, c, 0, "POST", "/api-keys", fmt.Sprintf(`{"name":"test","namespace":%q,"role":%q}`, namespace, role), http.StatusCreated, &k)
	return member{namespace: namespace, keyID: k.KeyID, key: k.APIKey}
}

// ask is ask with the member's key.
func (m member) ask(ctx context.Context, t *testing.T, c *localcluster.Cluster, node int, r localcluster.Request) localcluster.Answer {
	t.Helper()
	header := map[string]string{"X-API-KEY": m.key}
	for name, value := range r.Header {
		header[name] = value
	}
	r.Header = header
	return ask(ctx, t, c, node, r)
}

// get reads into out.
func (m member) get(ctx context.Context, t *testing.T, c *localcluster.Cluster, node int, path string, out any) {
	t.Helper()
	m.want(ctx, t, c, node, "GET", path, "", http.StatusOK, out)
}

// want sends a request and wants the status; it decodes data into out unless out is
// nil.
func (m member) want(ctx context.Context, t *testing.T, c *localcluster.Cluster, node int, method, path, body string, status int, out any) {
	t.Helper()
	a := m.ask(ctx, t, c, node, localcluster.Request{Method: method, Path: path, Body: body})
	if a.Status != status {
		t.Fatalf("%s %s on node %d with a key of %s: status %d, want %d: %s", method, path, node, m.namespace, a.Status, status, a.Body)
	}
	if out == nil {
		return
	}
	if err := a.Data(out); err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
}

// settled waits until no execution of the job or webhook at the path, which lists
// them, is open.
func (m member) settled(ctx context.Context, t *testing.T, c *localcluster.Cluster, path string, count int) {
	t.Helper()
	until(ctx, t, c, 30*time.Second, fmt.Sprintf("%d records that have ended at %s", count, path), func() bool {
		var page struct{ Executions, Deliveries []struct{ Result string } }
		m.get(ctx, t, c, 0, path+"?limit=500", &page)
		all := append(page.Executions, page.Deliveries...)
		for _, x := range all {
			if x.Result == "RUNNING" || x.Result == "RETRYING" {
				return false
			}
		}
		return len(all) >= count
	})
}

// wantRefusal wants a problem with the status and the code.
func wantRefusal(t *testing.T, what string, a localcluster.Answer, status int, code string) {
	t.Helper()
	var p struct{ Code string }
	if err := json.Unmarshal(a.Body, &p); err != nil || a.Status != status || p.Code != code {
		t.Errorf("%s: status %d, want %d with the code %s: %s", what, a.Status, status, code, a.Body)
	}
}
