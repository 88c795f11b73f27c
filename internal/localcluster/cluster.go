package localcluster

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// RootKey is the root API key of every cluster that this package starts.
const RootKey = "cron_local_0123456789abcdef0123456789abcdef"

// Config says what to start.
type Config struct {
	// Binary is the path of cronraft.
	Binary string
	// Dir gets the data directories.
	Dir string
	// LogDir gets the servers' logs; empty: Dir.
	LogDir string
	Nodes  int
	// Flags are added to those that every node is started with.
	Flags []string
	// Hosts are the addresses that the nodes listen on, one each, at fixed ports.
	// Without them all nodes share loopback, at ports that are free.
	Hosts []string
	// Wrap returns the command line that runs the given one for the i-th node, for
	// example in a network namespace. It has to end up as the same process, which
	// is sent the signals. Nil runs the line as it is.
	Wrap func(i int, line []string) []string
}

// Cluster is a set of server processes. Calls and questions ([Cluster.Do],
// [Cluster.WaitReady], [Cluster.Leader], ...) may come from any goroutine; what
// starts, signals or ends a process is for one at a time.
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
	LogPath string
	flags   []string
	process *process // nil before the first start
}

// Start starts the servers and waits until all are ready.
func Start(ctx context.Context, cfg Config) (*Cluster, error) {
	if cfg.LogDir == "" {
		cfg.LogDir = cfg.Dir
	}
	c := &Cluster{cfg: cfg, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}, Timeout: 15 * time.Second}}
	addrs, err := cfg.addresses()
	if err != nil {
		return nil, err
	}
	common, err := cfg.commonFlags(addrs)
	if err != nil {
		return nil, err
	}
	for i, a := range addrs {
		id := fmt.Sprintf("n%d", i+1)
		dir := filepath.Join(cfg.Dir, id)
		c.nodes = append(c.nodes, &Node{
			ID: id, Dir: dir, HTTP: a.http, LogPath: filepath.Join(cfg.LogDir, id+".log"),
			flags: slices.Concat([]string{
				"server", "--node-id", id, "--data-dir", dir, "--http-addr", a.http, "--peer-addr", a.peer, "--gossip-addr", a.gossip,
			}, common, cfg.Flags),
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

// commonFlags are those that all nodes share; the files that they name are
// written.
func (cfg *Config) commonFlags(addrs []address) ([]string, error) {
	secretFile, keyFile := filepath.Join(cfg.Dir, "secret"), filepath.Join(cfg.Dir, "key")
	secret := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	if err := errors.Join(os.WriteFile(secretFile, []byte(secret), 0o600), os.WriteFile(keyFile, []byte(RootKey), 0o600)); err != nil {
		return nil, err
	}
	var gossip []string
	for _, a := range addrs {
		gossip = append(gossip, a.gossip)
	}
	flags := []string{"--bootstrap-expect", fmt.Sprint(len(addrs)), "--cluster-secret-file", secretFile, "--root-api-key-file", keyFile}
	if len(addrs) > 1 { // a lone server that is to join others waits for them
		flags = append(flags, "--join", strings.Join(gossip, ","))
	}
	return flags, nil
}

// address is where one node listens.
type address struct{ http, peer, gossip string }

func (cfg *Config) addresses() ([]address, error) {
	addrs := make([]address, cfg.Nodes)
	if cfg.Hosts == nil {
		for i := range addrs {
			a := &addrs[i]
			for _, addr := range []*string{&a.http, &a.peer, &a.gossip} {
				var err error
				if *addr, err = FreeAddr(); err != nil {
					return nil, err
				}
			}
		}
		return addrs, nil
	}
	if len(cfg.Hosts) < cfg.Nodes {
		return nil, fmt.Errorf("%d nodes need as many hosts: there are %d", cfg.Nodes, len(cfg.Hosts))
	}
	for i := range addrs {
		host := cfg.Hosts[i]
		addrs[i] = address{http: host + ":8400", peer: host + ":8401", gossip: host + ":8402"}
	}
	return addrs, nil
}

// Flags are the arguments that the node is started with.
func (n *Node) Flags() []string { return slices.Clone(n.flags) }

// Len is how many nodes there are.
func (c *Cluster) Len() int { return len(c.nodes) }

// Node is the i-th node.
func (c *Cluster) Node(i int) *Node { return c.nodes[i] }

// Wipe removes the data of the i-th server, which must not run.
func (c *Cluster) Wipe(i int) error { return os.RemoveAll(c.nodes[i].Dir) }

// Close kills what still runs.
func (c *Cluster) Close() {
	for i := range c.nodes {
		if c.Running(i) {
			// An error says that it has ended by itself meanwhile.
			_ = c.Kill(i)
		}
	}
	c.client.CloseIdleConnections()
}

// Logs are the last lines of every server's log.
func (c *Cluster) Logs() string {
	var b strings.Builder
	for _, n := range c.nodes {
		text, err := os.ReadFile(n.LogPath)
		if err != nil {
			continue
		}
		fmt.Fprintf(&b, "--- %s\n%s", n.ID, text[max(0, len(text)-8000):])
	}
	return b.String()
}
