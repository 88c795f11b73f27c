package secret

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"testing"
	"time"
)

// PeerID is the ID of the node at the other end of a connection that a
// configuration of [Cluster.TLS] has verified; empty if none was verified.
func PeerID(state tls.ConnectionState) string {
	if len(state.VerifiedChains) == 0 || len(state.VerifiedChains[0]) == 0 {
		return ""
	}
	return state.VerifiedChains[0][0].Subject.CommonName
}

func config(t *testing.T, c *Cluster, id string) *tls.Config {
	t.Helper()
	cfg, err := c.TLS(id, time.Now())
	if err != nil {
		t.Fatalf("TLS: %v", err)
	}
	return cfg
}

// connect makes a pair of connections that buffer, unlike net.Pipe's: ends that
// refuse each other both have an alert to write.
func connect(t *testing.T) (near, far net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if near, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if far, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return near, far
}

// shake runs a handshake between two configurations and returns what each end
// knows, after the client has read a byte: only then has it seen the server's
// judgement of its certificate.
func shake(t *testing.T, clientConfig, serverConfig *tls.Config) (client, server tls.ConnectionState, err error) {
	t.Helper()
	near, far := connect(t)
	defer near.Close()
	deadline := time.Now().Add(10 * time.Second)
	near.SetDeadline(deadline)
	far.SetDeadline(deadline)

	served := make(chan error, 1)
	s := tls.Server(far, serverConfig)
	go func() {
		defer far.Close()
		_, err := s.Write([]byte{1})
		served <- err
	}()
	c := tls.Client(near, clientConfig)
	_, clientErr := c.Read(make([]byte, 1))
	near.Close()
	return c.ConnectionState(), s.ConnectionState(), errors.Join(clientErr, <-served)
}

func TestTLS_PeersKnowEachOther(t *testing.T) {
	t.Parallel()
	// Two nodes parse the secret apart from each other.
	client, server, err := shake(t, config(t, parse(t, known), "n1"), config(t, parse(t, known), "n2"))
	if err != nil {
		t.Fatalf("handshake: %v", err)
	}
	if got, want := PeerID(client), "n2"; got != want {
		t.Errorf("client's peer: got %q, want %q", got, want)
	}
	if got, want := PeerID(server), "n1"; got != want {
		t.Errorf("server's peer: got %q, want %q", got, want)
	}
	if client.Version != tls.VersionTLS13 {
		t.Errorf("version: got %x, want TLS 1.3", client.Version)
	}
}

func TestTLS_WrongSecretIsRefused(t *testing.T) {
	t.Parallel()
	ours, theirs := config(t, fresh(t), "n1"), config(t, fresh(t), "n2")
	if _, _, err := shake(t, theirs, ours); err == nil {
		t.Error("nodes of two clusters shook hands")
	}
	trusting := theirs.Clone()
	trusting.InsecureSkipVerify = true
	if _, _, err := shake(t, trusting, ours); err == nil {
		t.Error("a client of another cluster got in by not verifying the server")
	}
	trusting = theirs.Clone()
	trusting.ClientAuth = tls.RequireAnyClientCert
	if _, _, err := shake(t, ours, trusting); err == nil {
		t.Error("a server of another cluster got a client by not verifying it")
	}
}

func TestTLS_ClientWithoutCertificateIsRefused(t *testing.T) {
	t.Parallel()
	c := fresh(t)
	bare := config(t, c, "n1")
	bare.Certificates = nil
	_, server, err := shake(t, bare, config(t, c, "n2"))
	if err == nil {
		t.Error("a client without a certificate got in")
	}
	if got := PeerID(server); got != "" {
		t.Errorf("PeerID: got %q, want none", got)
	}
}

func TestTLS_OldVersionIsRefused(t *testing.T) {
	t.Parallel()
	c := fresh(t)
	old := config(t, c, "n1")
	old.MinVersion, old.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	if _, _, err := shake(t, old, config(t, c, "n2")); err == nil {
		t.Error("TLS 1.2 got in")
	}
}

func TestTLS_Expires(t *testing.T) {
	t.Parallel()
	c := fresh(t)
	old, err := c.TLS("n1", time.Now().Add(-11*365*24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := shake(t, old, config(t, c, "n2")); err == nil {
		t.Error("an expired certificate got in")
	}
}

func TestTLS_NeedsANodeID(t *testing.T) {
	t.Parallel()
	if _, err := fresh(t).TLS("", time.Now()); err == nil {
		t.Error("a node without an ID got a certificate")
	}
}

func TestAuthority_IsDeterministic(t *testing.T) {
	t.Parallel()
	a, b := parse(t, known).authority, parse(t, known).authority
	if !bytes.Equal(a.cert.Raw, b.cert.Raw) {
		t.Error("two nodes made two authorities")
	}
}
