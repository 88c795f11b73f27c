package main

import (
	"strings"
	"testing"
	"time"

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

func TestOptions_Defaults(t *testing.T) {
	t.Parallel()
	o, _ := parsed(t)
	if err := o.validate(); err != nil {
		t.Fatal(err)
	}
	if o.httpAddr != "127.0.0.1:8400" || o.peerAddr != "127.0.0.1:8401" || o.gossipAddr != "127.0.0.1:8402" ||
		o.bootstrapExpect != 1 || o.callbackConcurrency != 1024 || o.historyPerJob != 200 || o.historyMaxAge != 720*time.Hour ||
		o.rateLimit != 1000 || o.rateBurst != 2000 ||
		o.electionTimeout != time.Second || o.nodeLostAfter != 10*time.Second || o.drainTimeout != 30*time.Second {
		t.Errorf("the defaults differ from the contract: %+v", o)
	}
}

func TestOptions_Validate(t *testing.T) {
	t.Parallel()
	tests := []struct{ flag, value, says string }{
		{"http-addr", "nowhere", "--http-addr"},
		{"peer-addr", "127.0.0.1", "--peer-addr"},
		{"tls-cert-file", "x", "--tls-key-file"},
		{"callback-concurrency", "0", "--callback-concurrency"},
		{"history-per-job", "-1", "--history-per-job"},
		{"history-max-age", "0s", "--history-max-age"},
		{"election-timeout", "1ms", "--election-timeout"},
		{"rate-limit", "-1", "--rate-limit"},
		{"rate-burst", "0", "--rate-burst"},
	}
	for _, tt := range tests {
		o, _ := parsed(t, "--"+tt.flag, tt.value)
		if err := o.validate(); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("--%s %s: %v, want a word about %s", tt.flag, tt.value, err, tt.says)
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
