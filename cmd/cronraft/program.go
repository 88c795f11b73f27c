package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/cronraft/cronraft/httpserver"
	"github.com/cronraft/cronraft/internal/secret"
	"github.com/cronraft/cronraft/node"
)

// program is one running server: a node and the public API before it.
type program struct {
	options *options
	logger  *slog.Logger
	node    *node.Node
	api     *httpserver.Server
	cert    *certificate // nil without HTTPS

	// served carries the API server's end.
	served chan error
	once   sync.Once
}

// startProgram opens the data directory and the ports and starts everything. The
// root key is the one to found a cluster with; empty makes one.
func startProgram(ctx context.Context, o *options, key *secret.Cluster, rootKey string, logger *slog.Logger) (*program, error) {
	if err := os.MkdirAll(o.dataDir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	p := &program{options: o, logger: logger, served: make(chan error, 1)}
	listener, err := p.listen()
	if err != nil {
		return nil, err
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if err := p.startNode(ctx, key, rootKey, registry); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	if err := p.startAPI(ctx, listener, registry); err != nil {
		return nil, errors.Join(err, listener.Close(), p.node.Kill())
	}
	return p, nil
}

// listen opens the public port, with TLS if there is a certificate.
func (p *program) listen() (net.Listener, error) {
	listener, err := net.Listen("tcp", p.options.httpAddr)
	if err != nil {
		return nil, fmt.Errorf("--http-addr: %w", err)
	}
	if p.options.tlsCertFile == "" {
		return listener, nil
	}
	p.cert, err = loadCertificate(p.options.tlsCertFile, p.options.tlsKeyFile)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return tls.NewListener(listener, &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: p.cert.get}), nil
}

func (p *program) startNode(ctx context.Context, key *secret.Cluster, rootKey string, registry *prometheus.Registry) error {
	cfg, err := p.nodeConfig(key, rootKey, registry)
	if err != nil {
		return err
	}
	parts, err := node.Listen(p.options.peerAddr, p.options.gossipAddr, p.logger)
	if err != nil {
		return err
	}
	p.node, err = node.Start(ctx, cfg, parts)
	return err
}

func (p *program) nodeConfig(key *secret.Cluster, rootKey string, registry *prometheus.Registry) (node.Config, error) {
	o := p.options
	allow, err := prefixes("callback-allow", o.callbackAllow)
	if err != nil {
		return node.Config{}, err
	}
	deny, err := prefixes("callback-deny", o.callbackDeny)
	if err != nil {
		return node.Config{}, err
	}
	return node.Config{
		ID: o.nodeID, DataDir: o.dataDir, Secret: key,
		PeerAddr: o.advertised(o.peerAddr), GossipAddr: o.advertised(o.gossipAddr), HTTPAddr: o.advertised(o.httpAddr),
		BootstrapExpect: o.bootstrapExpect, Join: o.join, RootKey: rootKey, Version: version,
		Timing:              node.Timing{Election: o.electionTimeout, NodeLost: o.nodeLostAfter},
		History:             node.History{PerJob: o.historyPerJob, MaxAge: o.historyMaxAge},
		CallbackConcurrency: o.callbackConcurrency, CallbackAllow: allow, CallbackDeny: deny,
		OwnPorts:    []string{o.peerAddr, o.gossipAddr, o.httpAddr},
		Compaction:  node.Compaction{Entries: o.snapshotEntries, Trailing: o.trailingEntries, Interval: o.snapshotInterval},
		DiskReserve: o.diskReserve(),
		Logger:      p.logger, Registerer: registry,
	}, nil
}

func (p *program) startAPI(ctx context.Context, listener net.Listener, registry *prometheus.Registry) (err error) {
	p.api, err = httpserver.New(ctx, httpserver.Config{
		NodeID: p.options.nodeID,
		Jobs:   p.node.Jobs(), Executions: p.node.Executions(), Schedules: schedules{}, Keys: p.node.Keys(),
		Webhooks: p.node.Webhooks(), Events: p.node.Events(), Statistics: p.node.Statistics(),
		Consistency: p.node, Forwarder: p.node, Cluster: clusterView{p.node}, Backups: clusterView{p.node},
		Limits: p.options.limits(),
		Logger: p.logger, Gatherer: registry, Metrics: httpserver.NewMetrics(registry),
	})
	if err != nil {
		return err
	}
	p.node.ServeForwarded(p.api.ServeForwarded)
	go func() { p.served <- p.api.Serve(listener) }()
	return nil
}

// stopGrace is how long a stop may take, beyond the draining, until the process ends
// all the same: what waits for a disk that hangs waits for ever.
const stopGrace = 15 * time.Second

// end stops the program, and gives up on that when it takes too long.
func (p *program) end(ctx context.Context) error {
	draining, cancel := context.WithTimeout(ctx, p.options.drainTimeout)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- p.stop(draining) }()
	select {
	case err := <-stopped:
		return err
	case <-p.failed():
	case <-draining.Done():
	}
	select {
	case err := <-stopped:
		return err
	case <-time.After(stopGrace):
		return errors.New("something hangs and is left behind")
	}
}

// failed is closed when the node cannot go on.
func (p *program) failed() <-chan struct{} { return p.node.Failed() }

// stop drains and ends the program; ctx bounds the draining.
func (p *program) stop(ctx context.Context) (err error) {
	p.once.Do(func() {
		drained := p.node.Drain(ctx)
		shut := p.api.Shutdown(ctx)
		err = errors.Join(drained, shut, <-p.served, p.node.Stop())
	})
	return err
}

// clusterView gives the API the cluster in its own words.
type clusterView struct{ *node.Node }

// Status is the cluster as this node sees it.
func (v clusterView) Status(ctx context.Context) (httpserver.ClusterStatus, error) {
	s, err := v.Node.Status(ctx)
	if err != nil {
		return httpserver.ClusterStatus{}, err
	}
	out := httpserver.ClusterStatus{NodeID: s.NodeID, LeaderID: s.LeaderID, Term: s.Term}
	for _, m := range s.Nodes {
		out.Nodes = append(out.Nodes, httpserver.ClusterNode{
			ID: m.NodeID, HTTPAddr: m.HTTPAddr, PeerAddr: m.PeerAddr, Role: m.Role, State: m.State,
			AppliedIndex: m.AppliedIndex, OpenAttempts: m.OpenAttempts, Version: m.Version,
			ReadOnly: m.ReadOnly, ClockSkew: m.ClockSkew,
		})
	}
	return out, nil
}

// Backup begins a copy of this node's state.
func (v clusterView) Backup(ctx context.Context) (httpserver.Backup, error) {
	b, err := v.Node.Backup(ctx)
	if err != nil {
		return httpserver.Backup{}, err
	}
	return httpserver.Backup{ReadCloser: b, ClusterID: b.ClusterID, Index: b.Index, At: b.At, Size: b.Size}, nil
}

// clusterSecret is the configured secret. A server without peers may go without
// one: it makes its own and keeps it beside its data.
func clusterSecret(o *options) (*secret.Cluster, error) {
	text, err := secretText(o.clusterSecretFile, "CRONRAFT_CLUSTER_SECRET")
	if err != nil {
		return nil, fmt.Errorf("--cluster-secret-file: %w", err)
	}
	if text == "" {
		if o.hasPeers() {
			return nil, errors.New("a cluster of several nodes needs a secret: make one with \"cronraft keygen\" and give each node --cluster-secret-file or CRONRAFT_CLUSTER_SECRET")
		}
		if text, err = ownSecret(filepath.Join(o.dataDir, "cluster-secret")); err != nil {
			return nil, fmt.Errorf("keep a cluster secret of its own: %w", err)
		}
	}
	return secret.Parse(text)
}

// ownSecret reads the secret that an earlier start made, or makes it.
func ownSecret(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err == nil {
		return string(text), nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	made, err := secret.Generate()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	return made, os.WriteFile(path, []byte(made+"\n"), 0o600)
}
