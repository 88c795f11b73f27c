package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cronraft/cronraft/internal/secret"
)

// devReadyTimeout bounds how long a development cluster may take to elect its
// first leader.
const devReadyTimeout = 30 * time.Second

// portsPerNode is the distance between the ports of two nodes: HTTP, peer and
// gossip follow each other.
const portsPerNode = 10

// devOptions are the flags of "cronraft dev".
type devOptions struct {
	nodes    int
	dataDir  string
	httpPort int
	logLevel string
}

func devCommand() *cobra.Command {
	var o devOptions
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run a whole cluster on loopback in this terminal",
		Long:  "Run a whole cluster on loopback in this terminal: real nodes, real ports, a secret and a root key of its own.\nCtrl-C stops it; started again it goes on with its data.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := fromEnvironment(cmd.Flags()); err != nil {
				return err
			}
			return runDev(cmd.Context(), o, cmd.OutOrStdout())
		},
	}
	cmd.Flags().IntVar(&o.nodes, "nodes", 3, "how many nodes")
	cmd.Flags().StringVar(&o.dataDir, "data-dir", "./cronraft-dev", "where the cluster keeps its data")
	cmd.Flags().IntVar(&o.httpPort, "http-port", 8400, "HTTP port of the first node; the others follow in tens")
	cmd.Flags().StringVar(&o.logLevel, "log-level", "warn", "debug, info, warn or error")
	return cmd
}

func runDev(ctx context.Context, o devOptions, out io.Writer) error {
	if o.nodes < 1 || o.nodes > 9 {
		return fmt.Errorf("--nodes must be from 1 to 9, is %d", o.nodes)
	}
	last := o.httpPort + (o.nodes-1)*portsPerNode + 2
	if o.httpPort < 1 || last > 65535 {
		return fmt.Errorf("--http-port %d needs the ports up to %d", o.httpPort, last)
	}
	if err := os.MkdirAll(o.dataDir, 0o700); err != nil {
		return fmt.Errorf("--data-dir: %w", err)
	}
	c, err := startDev(ctx, o)
	if err != nil {
		stopped := c.stop(ctx)
		if ctx.Err() != nil { // the user did not want to wait
			return stopped
		}
		return errors.Join(err, stopped)
	}
	fmt.Fprint(out, c.welcome())
	failure := c.wait(ctx)
	fmt.Fprintln(out, "stopping; start it again to go on with the same data")
	return errors.Join(failure, c.stop(ctx))
}

// devCluster is a cluster in one process.
type devCluster struct {
	options  devOptions
	rootKey  string
	programs []*program
}

// startDev starts the nodes and waits until one can serve. The cluster is
// returned with an error too, for what has started to be stopped.
func startDev(ctx context.Context, o devOptions) (*devCluster, error) {
	c := &devCluster{options: o}
	text, err := ownSecret(filepath.Join(o.dataDir, "cluster-secret"))
	if err != nil {
		return c, fmt.Errorf("cluster secret: %w", err)
	}
	key, err := secret.Parse(text)
	if err != nil {
		return c, fmt.Errorf("cluster secret in %s: %w", o.dataDir, err)
	}
	if c.rootKey, err = ownRootKey(filepath.Join(o.dataDir, "root-api-key")); err != nil {
		return c, fmt.Errorf("root key: %w", err)
	}
	logger, err := newLogger(os.Stderr, "text", o.logLevel)
	if err != nil {
		return c, err
	}
	for i := range o.nodes {
		p, err := startProgram(ctx, c.nodeOptions(i), key, c.rootKey, logger)
		if err != nil {
			return c, fmt.Errorf("node %d: %w", i+1, err)
		}
		c.programs = append(c.programs, p)
	}
	ready, cancel := context.WithTimeout(ctx, devReadyTimeout)
	defer cancel()
	for _, p := range c.programs {
		if err := waitReady(ready, p); err != nil {
			return c, fmt.Errorf("the cluster elected no leader: %w", err)
		}
	}
	return c, nil
}

// waitReady returns once the node can serve linearizable reads.
func waitReady(ctx context.Context, p *program) error {
	for {
		err := p.node.Ready(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
	}
}

func (c *devCluster) nodeOptions(i int) *options {
	addr := func(offset int) string {
		return fmt.Sprintf("127.0.0.1:%d", c.options.httpPort+i*portsPerNode+offset)
	}
	o := &options{
		nodeID: fmt.Sprintf("node%d", i+1), dataDir: filepath.Join(c.options.dataDir, fmt.Sprintf("node%d", i+1)),
		httpAddr: addr(0), peerAddr: addr(1), gossipAddr: addr(2),
		bootstrapExpect: c.options.nodes,
		electionTimeout: time.Second, nodeLostAfter: 10 * time.Second, drainTimeout: 5 * time.Second, minFreeDiskMiB: 64,
		callbackConcurrency: 1024, historyPerJob: 200, historyMaxAge: 720 * time.Hour,
		rateLimit: 1000, rateBurst: 2000,
	}
	if i > 0 {
		o.join = []string{fmt.Sprintf("127.0.0.1:%d", c.options.httpPort+2)}
	} else if c.options.nodes > 1 {
		o.join = []string{fmt.Sprintf("127.0.0.1:%d", c.options.httpPort+portsPerNode+2)}
	}
	return o
}

func (c *devCluster) welcome() string {
	var b strings.Builder
	fmt.Fprintf(&b, "cronraft %s: %d nodes, data in %s\n\n", version, len(c.programs), c.options.dataDir)
	for _, p := range c.programs {
		fmt.Fprintf(&b, "  %s      http://%s/api/cron-service\n", p.options.nodeID, p.options.httpAddr)
	}
	first := c.programs[0].options.httpAddr
	fmt.Fprintf(&b, "  dashboard  http://%s/\n  API key    %s\n\n", first, c.rootKey)
	fmt.Fprintf(&b, "See callbacks arrive, in another terminal:\n\n  bin/cronraft receive --api-key %s\n\n", c.rootKey)
	fmt.Fprintf(&b, `Create a first job, one that fires every ten seconds:

  curl -X POST http://%s/api/cron-service/jobs \
    -H "Content-Type: application/json" -H "X-API-KEY: %s" \
    -d '{"name": "Hello", "intervalSeconds": 10, "targetUrl": "http://127.0.0.1:9999/hello", "signPayloads": true}'

Ctrl-C stops the cluster.
`, first, c.rootKey)
	return b.String()
}

// wait returns when ctx is done, or with the error of the first node that
// failed.
func (c *devCluster) wait(ctx context.Context) error {
	failed := make(chan *program, len(c.programs))
	for _, p := range c.programs {
		go func() {
			select {
			case <-p.failed():
				failed <- p
			case <-p.node.Dismissed():
				if err := p.end(context.WithoutCancel(ctx)); err != nil {
					p.logger.Warn("stopped with an error", "err", err)
				}
			case <-ctx.Done():
			}
		}()
	}
	select {
	case <-ctx.Done():
		return nil
	case p := <-failed:
		return fmt.Errorf("%s: %w", p.options.nodeID, p.node.Err())
	}
}

// stop ends all nodes at once: nobody is left to take over.
func (c *devCluster) stop(ctx context.Context) error {
	ended := make(chan error, len(c.programs))
	for _, p := range c.programs {
		go func() {
			ended <- p.end(context.WithoutCancel(ctx))
		}()
	}
	var errs []error
	for range c.programs {
		errs = append(errs, <-ended)
	}
	return errors.Join(errs...)
}

// ownRootKey reads the root key that an earlier start made, or makes it.
func ownRootKey(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(text)), nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	made := "cron_dev_" + randomHex(16)
	return made, os.WriteFile(path, []byte(made+"\n"), 0o600)
}
