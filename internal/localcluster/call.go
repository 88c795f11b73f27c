package localcluster

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// BasePath is where the API begins.
const BasePath = "/api/cron-service"

const pollInterval = 20 * time.Millisecond

// Request is what to ask a server. A body is JSON.
type Request struct {
	Method string
	Path   string // below BasePath
	Body   string
	// Header is sent beside the root key.
	Header map[string]string
}

// Answer is what a server answered.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Data decodes the answer's data into v.
func (a Answer) Data(v any) error {
	var envelope struct{ Data json.RawMessage }
	if err := json.Unmarshal(a.Body, &envelope); err != nil {
		return fmt.Errorf("status %d: %q: %w", a.Status, a.Body, err)
	}
	if envelope.Data == nil {
		return fmt.Errorf("status %d: no data in %s", a.Status, a.Body)
	}
	return json.Unmarshal(envelope.Data, v)
}

// Call sends a request with the root key to the i-th server. A body is JSON.
func (c *Cluster) Call(ctx context.Context, i int, method, path, body string) (Answer, error) {
	return c.Do(ctx, i, Request{Method: method, Path: path, Body: body})
}

// Do sends the request to the i-th server, at most once: a write is not sent
// again on another connection when one breaks.
func (c *Cluster) Do(ctx context.Context, i int, r Request) (Answer, error) {
	request, err := r.build(ctx, c.nodes[i].HTTP)
	if err != nil {
		return Answer{}, err
	}
	answer, err := c.client.Do(request)
	if err != nil {
		return Answer{}, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return Answer{Status: answer.StatusCode, Header: answer.Header, Body: text}, err
}

func (r Request) build(ctx context.Context, host string) (*http.Request, error) {
	var body io.Reader
	if r.Body != "" {
		body = strings.NewReader(r.Body)
	}
	request, err := http.NewRequestWithContext(ctx, r.Method, "http://"+host+BasePath+r.Path, body)
	if err != nil {
		return nil, err
	}
	// Without it, net/http cannot send the body a second time.
	request.GetBody = nil
	request.Header.Set("X-API-KEY", RootKey)
	if r.Body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for name, value := range r.Header {
		request.Header.Set(name, value)
	}
	return request, nil
}

// WaitReady returns once the i-th server says that it is ready.
func (c *Cluster) WaitReady(ctx context.Context, i int) error {
	err := c.Until(ctx, func() bool { return c.Ready(ctx, i) })
	if err != nil {
		return fmt.Errorf("wait until %s is ready: %w", c.nodes[i].ID, err)
	}
	return nil
}

// Ready reports whether the i-th server says that it is ready.
func (c *Cluster) Ready(ctx context.Context, i int) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.nodes[i].HTTP+"/readyz", http.NoBody)
	if err != nil {
		return false
	}
	answer, err := c.client.Do(request)
	if err != nil {
		return false
	}
	answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// Until returns once the condition holds, which is looked at every few
// milliseconds, or with the context's error.
func (c *Cluster) Until(ctx context.Context, condition func() bool) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for !condition() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}
