package main

import (
	"os"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func parsed(t *testing.T, args ...string) (*options, *pflag.FlagSet) {
	t.Helper()
	var o options
	flags := pflag.NewFlagSet("server", pflag.ContinueOnError)
	o.register(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return &o, flags
}

// defaults are what each flag is if nobody gives it, as text.
var defaults = map[string]string{
	"data-dir": "./cronraft-data", "http-addr": "127.0.0.1:8400", "peer-addr": "127.0.0.1:8401", "gossip-addr": "127.0.0.1:8402", "advertise-host": "",
	"bootstrap-expect": "1", "join": "[]", "cluster-secret-file": "", "root-api-key-file": "", "tls-cert-file": "", "tls-key-file": "",
	"callback-allow": "[]", "callback-deny": "[]", "callback-concurrency": "1024", "history-per-job": "200", "history-max-age": "720h0m0s",
	"election-timeout": "1s", "node-lost-after": "10s", "drain-timeout": "30s", "log-format": "text", "log-level": "info",
	"rate-limit": "1000", "rate-burst": "2000", "min-free-disk-mib": "64",
	"raft-snapshot-entries": "8192", "raft-snapshot-interval": "30s", "raft-trailing-entries": "10240",
}

func TestOptions_Defaults(t *testing.T) {
	t.Parallel()
	o, flags := parsed(t)
	if err := o.validate(); err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	flags.VisitAll(func(f *pflag.Flag) {
		want, known := defaults[f.Name]
		if f.Name == "node-id" {
			want, known = host, true
		}
		if seen++; !known || f.DefValue != want {
			t.Errorf("--%s is %q if nobody gives it, want %q", f.Name, f.DefValue, want)
		}
	})
	if want := len(defaults) + 1; seen != want {
		t.Errorf("there are %d flags, want %d", seen, want)
	}
}

func TestOptions_Validate(t *testing.T) {
	t.Parallel()
	tests := []struct{ flag, value, says string }{
		{"http-addr", "nowhere", "--http-addr"},
		{"peer-addr", "127.0.0.1", "--peer-addr"},
		{"gossip-addr", "", "--gossip-addr"},
		{"node-id", "", "--node-id"},
		{"node-id", "a/b", "--node-id"},
		{"node-id", strings.Repeat("n", 64), "--node-id"},
		{"tls-cert-file", "x", "--tls-key-file"},
		{"tls-key-file", "x", "--tls-cert-file"},
		{"bootstrap-expect", "0", "--bootstrap-expect"},
		{"bootstrap-expect", "10", "--bootstrap-expect"},
		{"callback-concurrency", "0", "--callback-concurrency"},
		{"history-per-job", "-1", "--history-per-job"},
		{"history-max-age", "0s", "--history-max-age"},
		{"drain-timeout", "-1s", "--drain-timeout"},
		{"election-timeout", "1ms", "--election-timeout"},
		{"node-lost-after", "2999ms", "--node-lost-after must be at least three times --election-timeout"},
		{"min-free-disk-mib", "-1", "--min-free-disk-mib"},
		{"rate-limit", "-1", "--rate-limit"},
		{"rate-burst", "0", "--rate-burst"},
	}
	for _, tt := range tests {
		o, _ := parsed(t, "--"+tt.flag, tt.value)
		if err := o.validate(); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("--%s %s: %v, want a word about %s", tt.flag, tt.value, err, tt.says)
		}
	}
	o, _ := parsed(t, "--node-id", strings.Repeat("n", 63), "--bootstrap-expect", "9", "--node-lost-after", "3s")
	if err := o.validate(); err != nil {
		t.Errorf("at the limits: %v", err)
	}
}

// What is wrong with the values of other flags is told when they are used.
func TestOptions_Used(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"callback-allow", "callback-deny"} {
		if _, err := prefixes(flag, []string{"10.0.0.0/8", "10.0.0.1"}); err == nil || !strings.Contains(err.Error(), "--"+flag) {
			t.Errorf("an address that is no CIDR: %v", err)
		}
	}
	var out strings.Builder
	for _, bad := range [][2]string{{"xml", "info"}, {"json", "loud"}} {
		if _, err := newLogger(&out, bad[0], bad[1]); err == nil || !strings.Contains(err.Error(), "--log-") {
			t.Errorf("%v: %v", bad, err)
		}
	}
	for format, want := range map[string]string{"text": "level=WARN msg=told", "json": `"level":"WARN","msg":"told"`} {
		out.Reset()
		logger, err := newLogger(&out, format, "warn")
		if err != nil {
			t.Fatal(err)
		}
		logger.Info("not told")
		logger.Warn("told")
		if !strings.Contains(out.String(), want) || strings.Contains(out.String(), "not told") {
			t.Errorf("%s: logged %s", format, &out)
		}
	}
}

func TestOptions_NoRateLimit(t *testing.T) {
	t.Parallel()
	o, _ := parsed(t, "--rate-limit", "0", "--rate-burst", "0")
	if err := o.validate(); err != nil || o.limits().Rate != 0 {
		t.Errorf("limits %+v: %v", o.limits(), err)
	}
}

func TestServer_HelpShowsTheFlags(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	cmd := serverCommand()
	cmd.SetOut(&out)
	cmd.SetArgs([]string{"--help"})
	if err := cmd.Execute(); err != nil {
		t.Fatal(err)
	}
	_, flags := parsed(t)
	flags.VisitAll(func(f *pflag.Flag) {
		if !strings.Contains(out.String(), "--"+f.Name+" ") || f.Usage == "" {
			t.Errorf("--%s is not in the help: %s", f.Name, &out)
		}
	})
}

func TestOptions_Environment(t *testing.T) {
	t.Setenv("CRONRAFT_NODE_ID", "from-env")
	t.Setenv("CRONRAFT_JOIN", "a:1,b:2")
	t.Setenv("CRONRAFT_HISTORY_PER_JOB", "7")
	o, flags := parsed(t, "--node-id", "from-flag")
	if err := fromEnvironment(flags); err != nil {
		t.Fatal(err)
	}
	if o.nodeID != "from-flag" || len(o.join) != 2 || o.historyPerJob != 7 {
		t.Errorf("got %+v", o)
	}
	t.Setenv("CRONRAFT_BOOTSTRAP_EXPECT", "many")
	_, flags = parsed(t)
	if err := fromEnvironment(flags); err == nil || !strings.Contains(err.Error(), "CRONRAFT_BOOTSTRAP_EXPECT") {
		t.Errorf("a bad variable: %v", err)
	}
}

func TestOptions_Advertised(t *testing.T) {
	t.Parallel()
	o, _ := parsed(t, "--advertise-host", "node1.example")
	if got, want := o.advertised("0.0.0.0:8401"), "node1.example:8401"; got != want {
		t.Errorf("advertised %s, want %s", got, want)
	}
}

func TestClusterSecret_IsRequiredWithPeers(t *testing.T) {
	for _, args := range [][]string{{"--bootstrap-expect", "3"}, {"--join", "127.0.0.1:1"}} {
		o, _ := parsed(t, args...)
		if _, err := clusterSecret(o); err == nil || !strings.Contains(err.Error(), "keygen") {
			t.Errorf("%v: %v", args, err)
		}
	}
	o, _ := parsed(t, "--data-dir", t.TempDir()+"/alone")
	first, err := clusterSecret(o)
	if err != nil {
		t.Fatal(err)
	}
	again, err := clusterSecret(o)
	if err != nil || string(first.GossipKey()) != string(again.GossipKey()) {
		t.Errorf("a lone server does not keep its secret: %v", err)
	}
}
