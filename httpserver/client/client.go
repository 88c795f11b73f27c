package client

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// basePath is before every path of the API.
const basePath = "/api/cron-service"

// The defaults of a [Config].
const (
	defaultTimeout  = 20 * time.Second
	defaultRetryFor = 30 * time.Second
	defaultAgent    = "cronraft-go-client"

	dialTimeout = 3 * time.Second
	// idleTimeout is shorter than a server's, so that a connection is not used at the
	// moment at which the server closes it.
	idleTimeout = 30 * time.Second
	idleConns   = 64
)

// Config says which cluster to talk to, and how.
type Config struct {
	// Servers are the addresses of the API, at least one, tried in this order:
	// "http://10.0.0.1:8400", "https://cron.example.com", or "10.0.0.1:8400" for http.
	Servers []string
	// APIKey is sent with every request. Required.
	APIKey string
	// Namespace is that of every call that takes one; empty for the key's own. Only the
	// root key has a choice. See [Namespace].
	Namespace string
	// HTTPClient sends the requests; default is one with time limits for connections of
	// its own. It is copied: redirects are refused, so that the API key goes to no other
	// server.
	HTTPClient *http.Client
	// Timeout bounds one try; default 20 s. It does not bound streams.
	Timeout time.Duration
	// RetryFor is how long a call goes on trying; default 30 s, negative for one try
	// only. A context that ends earlier ends the call earlier.
	RetryFor time.Duration
	// UserAgent is sent with every request; default "cronraft-go-client".
	UserAgent string
}

// Client talks to one cluster. It is made by [New].
type Client struct {
	key       string
	namespace string
	agent     string
	timeout   time.Duration
	retryFor  time.Duration
	// silence is how long a stream may say nothing.
	silence time.Duration
	// maxAnswer is how long an answer may be that is read whole.
	maxAnswer int64
	http      *http.Client
	// streams is http without a limit for the time that an answer takes.
	streams *http.Client
	pool    *pool
}

// New makes a client. It connects to nothing yet.
func New(cfg Config) (*Client, error) {
	if cfg.APIKey == "" {
		return nil, errors.New("client: an API key is required")
	}
	if strings.ContainsFunc(cfg.APIKey, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("client: the API key has characters that no key has; is there a line break at its end?")
	}
	if cfg.Timeout < 0 {
		return nil, errors.New("client: the timeout must not be negative")
	}
	bases, err := parseServers(cfg.Servers)
	if err != nil {
		return nil, err
	}
	c := &Client{
		key: cfg.APIKey, namespace: cfg.Namespace, agent: cmp.Or(cfg.UserAgent, defaultAgent),
		timeout: cmp.Or(cfg.Timeout, defaultTimeout), retryFor: cmp.Or(cfg.RetryFor, defaultRetryFor),
		silence: defaultSilence, maxAnswer: defaultMaxAnswer, pool: newPool(bases),
	}
	c.http, c.streams = httpClients(cfg.HTTPClient)
	return c, nil
}

// Close closes the connections that are idle. A client that is closed can still be
// used.
func (c *Client) Close() { c.http.CloseIdleConnections() }

func parseServers(servers []string) ([]string, error) {
	if len(servers) == 0 {
		return nil, errors.New("client: at least one server is required, for example http://127.0.0.1:8400")
	}
	var bases []string
	for _, s := range servers {
		text := strings.TrimSpace(s)
		if !strings.Contains(text, "://") {
			text = "http://" + text
		}
		u, err := url.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("client: the server %q is no address: %w", s, err)
		}
		rest := strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), basePath)
		if u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return nil, fmt.Errorf("client: the server %q must be like http://127.0.0.1:8400 or https://cron.example.com", s)
		}
		bases = append(bases, u.Scheme+"://"+u.Host+rest)
	}
	return bases, nil
}

// httpClients are copies of the given client for calls and for streams.
func httpClients(given *http.Client) (calls, streams *http.Client) {
	var client http.Client
	if given != nil {
		client = *given
	} else {
		client.Transport = &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: dialTimeout, KeepAlive: dialTimeout}).DialContext,
			TLSHandshakeTimeout:   dialTimeout,
			IdleConnTimeout:       idleTimeout,
			MaxIdleConnsPerHost:   idleConns,
			ForceAttemptHTTP2:     true,
			ExpectContinueTimeout: time.Second,
		}
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	endless := client
	endless.Timeout = 0
	return &client, &endless
}

// do makes the call, and decodes the data of the answer into out unless it is nil.
func (c *Client) do(ctx context.Context, q *call, out any) error {
	q.out = out
	return c.run(ctx, q)
}

// send makes the call and returns the data of the answer.
func send[T any](ctx context.Context, c *Client, q *call) (T, error) {
	var out T
	err := c.do(ctx, q, &out)
	return out, err
}

// open makes a call whose answer is read while it comes. The caller closes it.
func (c *Client) open(ctx context.Context, q *call) (io.ReadCloser, error) {
	q.isStream = true
	err := c.run(ctx, q)
	return q.stream, err
}

// newOnceKey makes an Idempotency-Key that nobody else has.
func newOnceKey() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
