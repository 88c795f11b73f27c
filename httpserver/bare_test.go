package httpserver

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cronraft/cronraft/httpserver/api"
)

// bareServer is a server without fasthttp and the network: it fits into a bubble.
type bareServer struct {
	*Server
	*backend
	t        *testing.T
	logs     *syncBuffer
	registry *prometheus.Registry
}

// startBare makes one that lives until the test ends.
func startBare(t *testing.T, b *backend, edit ...func(*Config)) *bareServer {
	t.Helper()
	s := &bareServer{backend: b, t: t, logs: &syncBuffer{}, registry: prometheus.NewRegistry()}
	c := b.config("n1")
	c.Gatherer, c.Metrics = s.registry, NewMetrics(s.registry)
	c.Logger = slog.New(slog.NewTextHandler(s.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	for _, e := range edit {
		e(&c)
	}
	var err error
	if s.Server, err = New(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
	return s
}

// ask answers a request below the base path from some address; headers come in pairs.
func (s *bareServer) ask(method, path, body string, headers ...string) *response {
	s.t.Helper()
	r := &request{id: newRequestID(), method: method, path: basePath + path, remote: "192.0.2.1", body: []byte(body)}
	r.path, r.query, _ = strings.Cut(r.path, "?")
	for i := 0; i < len(headers); i += 2 {
		r.headers = append(r.headers, header{headers[i], headers[i+1]})
	}
	if addr := r.header(headerTestRemote); addr != "" {
		r.remote = addr
	}
	res, _ := s.answer(s.t.Context(), r)
	return res
}

// headerTestRemote is where a request of [bareServer.ask] comes from.
const headerTestRemote = "Test-Remote"

// codeOf is the code of a problem; empty for a success.
func (r *response) codeOf(t *testing.T) string {
	t.Helper()
	if r.status < 300 {
		return ""
	}
	var p api.Problem
	if err := json.Unmarshal(r.body, &p); err != nil || p.Status != r.status {
		t.Fatalf("status %d, no problem: %s (%v)", r.status, r.body, err)
	}
	return p.Code
}
