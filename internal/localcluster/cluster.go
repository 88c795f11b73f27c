// Package localcluster runs real cronraft servers as processes on loopback, for
// the tests and benchmarks that must not know more than a user does: flags, HTTP
// and signals.
package localcluster

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// RootKey is the root API key of every cluster that this package starts.
const RootKey = "cron_local_0123456789abcdef0123456789abcdef"

// BasePath is where the API begins.
const BasePath = "/api/cron-service"

const pollInterval = 20 * time.Millisecond

// Config says what to start.
type Config struct {
	// Binary is the path of cronraft.
	Binary string
	// Dir gets the data directories and the logs.
	Dir   string
	Nodes int
	// Flags are added to those that every node is started with.
	Flags []string
}

// Cluster is a set of server processes. Its methods are for one goroutine.
type Cluster struct {
	cfg    Config
	client *http.Client
	nodes  []*Node
}

// Node is one server, running or not.
type Node struct {
	ID      string
	Dir     string
	HTTP    string // address of the API
	flags   []string
	logPath string
	cmd     *exec.Cmd
	ended   chan error
}

// Start starts the servers and waits until all are ready.
func Start(ctx context.Context, cfg Config) (*Cluster, error) {
	c := &Cluster{cfg: cfg, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}, Timeout: 15 * time.Second}}
	ports, err := freePorts(3 * cfg.Nodes)
	if err != nil {
		return nil, err
	}
	secretFile, keyFile := filepath.Join(cfg.Dir, "secret"), filepath.Join(cfg.Dir, "key")
	secret := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	if err := errors.Join(os.WriteFile(secretFile, []byte(secret), 0o600), os.WriteFile(keyFile, []byte(RootKey), 0o600)); err != nil {
		return nil, err
	}
	var gossip []string
	for i := range cfg.Nodes {
		gossip = append(gossip, ports[3*i+2])
	}
	for i := range cfg.Nodes {
		id := fmt.Sprintf("n%d", i+1)
		dir := filepath.Join(cfg.Dir, id)
		c.nodes = append(c.nodes, &Node{
			ID: id, Dir: dir, HTTP: ports[3*i], logPath: filepath.Join(cfg.Dir, id+".log"),
			flags: append([]string{
				"server", "--node-id", id, "--data-dir", dir, "--http-addr", ports[3*i], "--peer-addr", ports[3*i+1],
				"--gossip-addr", ports[3*i+2], "--bootstrap-expect", fmt.Sprint(cfg.Nodes), "--join", strings.Join(gossip, ","),
				"--cluster-secret-file", secretFile, "--root-api-key-file", keyFile,
			}, cfg.Flags...),
		})
	}
	for i := range c.nodes {
		if err := c.Restart(i); err != nil {
			return c, err
		}
	}
	for i := range c.nodes {
		if err := c.WaitReady(ctx, i); err != nil {
			return c, err
		}
	}
	return c, nil
}

// freePorts are loopback addresses whose ports were free for TCP and UDP a
// moment ago.
func freePorts(count int) ([]string, error) {
	var addrs []string
	for range count {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		addrs = append(addrs, l.Addr().String())
	}
	return addrs, nil
}

// Flags are the arguments that the node is started with.
func (n *Node) Flags() []string { return slices.Clone(n.flags) }

// Len is how many nodes there are.
func (c *Cluster) Len() int { return len(c.nodes) }

// Node is the i-th node.
func (c *Cluster) Node(i int) *Node { return c.nodes[i] }

// Restart starts the i-th server, which must not run, with its data.
func (c *Cluster) Restart(i int) error {
	n := c.nodes[i]
	log, err := os.OpenFile(n.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	n.cmd = exec.Command(c.cfg.Binary, n.flags...)
	n.cmd.Stderr, n.cmd.Stdout = log, log
	if err := n.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", n.ID, err)
	}
	cmd, ended := n.cmd, make(chan error, 1)
	n.ended = ended
	go func() { ended <- cmd.Wait() }()
	return nil
}

// PID is the i-th server's process.
func (c *Cluster) PID(i int) int { return c.nodes[i].cmd.Process.Pid }

// Kill ends the i-th server with SIGKILL.
func (c *Cluster) Kill(i int) error {
	err := c.signal(i, syscall.SIGKILL)
	<-c.nodes[i].ended
	return err
}

// Stop ends the i-th server with SIGTERM and returns how it exited.
func (c *Cluster) Stop(i int) error {
	if err := c.signal(i, syscall.SIGTERM); err != nil {
		return err
	}
	return <-c.nodes[i].ended
}

func (c *Cluster) signal(i int, s os.Signal) error { return c.nodes[i].cmd.Process.Signal(s) }

// Wipe removes the data of the i-th server, which must not run.
func (c *Cluster) Wipe(i int) error { return os.RemoveAll(c.nodes[i].Dir) }

// Close kills what still runs.
func (c *Cluster) Close() {
	for _, n := range c.nodes {
		if n.cmd != nil && n.cmd.Process.Kill() == nil {
			<-n.ended
		}
	}
	c.client.CloseIdleConnections()
}

// Logs are the last lines of every server's log.
func (c *Cluster) Logs() string {
	var b strings.Builder
	for _, n := range c.nodes {
		text, err := os.ReadFile(n.logPath)
		if err != nil {
			continue
		}
		fmt.Fprintf(&b, "--- %s\n%s", n.ID, text[max(0, len(text)-8000):])
	}
	return b.String()
}

// WaitReady returns once the i-th server says that it is ready.
func (c *Cluster) WaitReady(ctx context.Context, i int) error {
	return c.Until(ctx, func() bool {
		answer, err := c.client.Get("http://" + c.nodes[i].HTTP + "/readyz")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
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
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://"+c.nodes[i].HTTP+BasePath+path, reader)
	if err != nil {
		return Answer{}, err
	}
	request.Header.Set("X-API-KEY", RootKey)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := c.client.Do(request)
	if err != nil {
		return Answer{}, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return Answer{Status: answer.StatusCode, Header: answer.Header, Body: text}, err
}

// Leader is the index of the node that leads according to the first server that
// answers and knows.
func (c *Cluster) Leader(ctx context.Context) (int, error) {
	found := -1
	err := c.Until(ctx, func() bool {
		for i := range c.nodes {
			if found = c.leaderSeenBy(ctx, i); found >= 0 {
				return true
			}
		}
		return false
	})
	return found, err
}

func (c *Cluster) leaderSeenBy(ctx context.Context, i int) int {
	answer, err := c.Call(ctx, i, http.MethodGet, "/cluster", "")
	if err != nil {
		return -1
	}
	var status struct{ LeaderID string }
	if answer.Data(&status) != nil {
		return -1
	}
	for k, n := range c.nodes {
		if n.ID == status.LeaderID {
			return k
		}
	}
	return -1
}
