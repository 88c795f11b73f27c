package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"regexp"
	"time"

	"github.com/spf13/pflag"

	"github.com/cronraft/cronraft/httpserver"
)

// nodeIDPattern is what a node's name may be: it goes into headers, logs and
// file names.
var nodeIDPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,63}$`)

// options are the flags of "cronraft server".
type options struct {
	nodeID, dataDir                string
	httpAddr, peerAddr, gossipAddr string
	advertiseHost                  string
	bootstrapExpect                int
	join                           []string
	clusterSecretFile              string
	rootAPIKeyFile                 string
	tlsCertFile, tlsKeyFile        string
	callbackAllow, callbackDeny    []string
	callbackConcurrency            int
	historyPerJob                  int
	historyMaxAge                  time.Duration
	electionTimeout, nodeLostAfter time.Duration
	minFreeDiskMiB                 int
	rateLimit                      float64
	rateBurst                      int
	drainTimeout                   time.Duration
	snapshotEntries                uint64
	trailingEntries                uint64
	snapshotInterval               time.Duration
	logFormat, logLevel            string
}

func (o *options) register(f *pflag.FlagSet) {
	host, err := os.Hostname()
	if err != nil {
		host = "cronraft"
	}
	f.StringVar(&o.advertiseHost, "advertise-host", "", "host that other nodes and clients reach this node under (default: each address's own)")
	f.IntVar(&o.bootstrapExpect, "bootstrap-expect", 1, "first start only: how many servers must see each other before the first election")
	f.StringSliceVar(&o.callbackAllow, "callback-allow", nil, "CIDRs that callbacks may reach; the longest prefix of allow and deny decides (default: all)")
	f.IntVar(&o.callbackConcurrency, "callback-concurrency", 1024, "open requests that this node may have")
	f.StringSliceVar(&o.callbackDeny, "callback-deny", nil, "CIDRs that callbacks must not reach")
	f.StringVar(&o.clusterSecretFile, "cluster-secret-file", "", "file with the cluster secret (32 bytes, base64; see keygen), or CRONRAFT_CLUSTER_SECRET")
	f.StringVar(&o.dataDir, "data-dir", "./cronraft-data", "everything that this node keeps")
	f.DurationVar(&o.drainTimeout, "drain-timeout", 30*time.Second, "how long a stopping node waits for its open callbacks")
	f.DurationVar(&o.electionTimeout, "election-timeout", time.Second, "raft election time-out (heartbeat the same, lease half)")
	f.StringVar(&o.gossipAddr, "gossip-addr", "127.0.0.1:8402", "gossip, TCP and UDP, encrypted")
	f.DurationVar(&o.historyMaxAge, "history-max-age", 720*time.Hour, "how long execution records are kept")
	f.IntVar(&o.historyPerJob, "history-per-job", 200, "how many execution records of a job are kept")
	f.StringVar(&o.httpAddr, "http-addr", "127.0.0.1:8400", "public API, dashboard, metrics")
	f.StringSliceVar(&o.join, "join", nil, "gossip addresses of other nodes; names may resolve to several")
	f.StringVar(&o.logFormat, "log-format", "text", "text or json, to standard error")
	f.StringVar(&o.logLevel, "log-level", "info", "debug, info, warn or error")
	f.IntVar(&o.minFreeDiskMiB, "min-free-disk-mib", 64, "room on the disk, in MiB, below which this node takes no new entries; 0 never looks")
	f.StringVar(&o.nodeID, "node-id", host, "unique, stable name of this node")
	f.DurationVar(&o.nodeLostAfter, "node-lost-after", 10*time.Second, "silence after which a node's attempts are lost")
	f.StringVar(&o.peerAddr, "peer-addr", "127.0.0.1:8401", "raft and peer calls, one port, mutual TLS")
	f.Uint64Var(&o.snapshotEntries, "raft-snapshot-entries", 8192, "compact the raft log when it has grown by so many entries")
	f.DurationVar(&o.snapshotInterval, "raft-snapshot-interval", 30*time.Second, "how often to look whether the raft log is to be compacted")
	f.Uint64Var(&o.trailingEntries, "raft-trailing-entries", 10240, "entries kept after compaction, for followers that were away")
	f.IntVar(&o.rateBurst, "rate-burst", 2000, "requests that one API key may make at once at this node")
	f.Float64Var(&o.rateLimit, "rate-limit", 1000, "requests a second that one API key may make at this node; 0 is no limit")
	f.StringVar(&o.rootAPIKeyFile, "root-api-key-file", "", "file with the root API key (24 to 64 characters), or CRONRAFT_ROOT_API_KEY")
	f.StringVar(&o.tlsCertFile, "tls-cert-file", "", "certificate for HTTPS on --http-addr; reloaded on SIGHUP")
	f.StringVar(&o.tlsKeyFile, "tls-key-file", "", "key of the certificate")
}

// hasPeers reports whether the flags speak of a cluster of more than one.
func (o *options) hasPeers() bool { return o.bootstrapExpect > 1 || len(o.join) > 0 }

func (o *options) validate() error {
	var errs []error
	for _, f := range []struct{ flag, addr string }{
		{"http-addr", o.httpAddr}, {"peer-addr", o.peerAddr}, {"gossip-addr", o.gossipAddr},
	} {
		if _, _, err := net.SplitHostPort(f.addr); err != nil {
			errs = append(errs, fmt.Errorf("--%s: %w", f.flag, err))
		}
	}
	if !nodeIDPattern.MatchString(o.nodeID) {
		errs = append(errs, fmt.Errorf("--node-id must be 1 to 63 letters, digits, dots, dashes and underscores, is %q", o.nodeID))
	}
	if (o.tlsCertFile == "") != (o.tlsKeyFile == "") {
		errs = append(errs, errors.New("--tls-cert-file and --tls-key-file go together"))
	}
	for _, f := range []struct {
		flag     string
		n, least int
	}{
		{"callback-concurrency", o.callbackConcurrency, 1}, {"history-per-job", o.historyPerJob, 1}, {"bootstrap-expect", o.bootstrapExpect, 1},
		{"min-free-disk-mib", o.minFreeDiskMiB, 0},
	} {
		if f.n < f.least {
			errs = append(errs, fmt.Errorf("--%s must be at least %d, is %d", f.flag, f.least, f.n))
		}
	}
	if o.bootstrapExpect > 9 {
		errs = append(errs, fmt.Errorf("--bootstrap-expect must be at most 9, is %d", o.bootstrapExpect))
	}
	if o.electionTimeout < 100*time.Millisecond {
		errs = append(errs, fmt.Errorf("--election-timeout must be at least 100ms, is %v", o.electionTimeout))
	}
	if o.nodeLostAfter < 3*o.electionTimeout {
		errs = append(errs, fmt.Errorf("--node-lost-after must be at least three times --election-timeout, is %v", o.nodeLostAfter))
	}
	if o.historyMaxAge <= 0 || o.drainTimeout < 0 {
		errs = append(errs, errors.New("--history-max-age must be positive and --drain-timeout not negative"))
	}
	if err := o.limits().Validate(); err != nil {
		errs = append(errs, fmt.Errorf("--rate-limit and --rate-burst: %w", err))
	}
	return errors.Join(errs...)
}

// limits are what the API grants a key.
func (o *options) limits() httpserver.Limits {
	return httpserver.Limits{Rate: o.rateLimit, Burst: o.rateBurst, HistoryPerJob: o.historyPerJob, HistoryMaxAge: o.historyMaxAge}
}

// diskReserve is the configured room in bytes, in the node's words.
func (o *options) diskReserve() int64 {
	if o.minFreeDiskMiB == 0 {
		return -1
	}
	return int64(o.minFreeDiskMiB) << 20
}

// advertised is addr under the host that others reach this node under.
func (o *options) advertised(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if o.advertiseHost != "" {
		host = o.advertiseHost
	}
	return net.JoinHostPort(host, port)
}

func prefixes(flag string, texts []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, text := range texts {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("--%s: %q is no CIDR such as 10.0.0.0/8", flag, text)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

func newLogger(w io.Writer, format, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log-level: %q is none of debug, info, warn, error", level)
	}
	switch options := (&slog.HandlerOptions{Level: l}); format {
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	default:
		return nil, fmt.Errorf("--log-format: %q is neither text nor json", format)
	}
}
