package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestServer_TLS starts a server with HTTPS and without a root key: it makes one that
// only its owner may read, and serves another certificate after SIGHUP. SIGINT ends it.
func TestServer_TLS(t *testing.T) {
	t.Parallel()
	s := startTLS(t)
	s.untilSerial(1)

	path := filepath.Join(s.dir, "root-api-key")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	key := strings.TrimSpace(string(text))
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file of the root key: %v, %v", info.Mode(), err)
	}
	if status := s.get("/api/cron-service/jobs", key); status != http.StatusOK {
		t.Errorf("the root key that it made: status %d", status)
	}
	if status := s.get("/api/cron-service/jobs", "cron_another"); status != http.StatusUnauthorized {
		t.Errorf("another key: status %d", status)
	}
	if log := s.log(); strings.Contains(log, key) || !strings.Contains(log, path) {
		t.Errorf("the log shows the key, or not where it is:\n%s", log)
	}

	s.writeCertificate(2)
	s.signal(syscall.SIGHUP)
	s.untilSerial(2)

	if err := os.WriteFile(s.cert, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.signal(syscall.SIGHUP)
	s.until("the log says that the certificate stays", func() bool { return strings.Contains(s.log(), "the certificate stays as it was") })
	s.untilSerial(2)

	s.signal(os.Interrupt)
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("ended with %v\n%s", err, s.log())
	}
}

// tlsServer is a process that serves HTTPS.
type tlsServer struct {
	t                             *testing.T
	ctx                           context.Context
	cmd                           *exec.Cmd
	addr, dir, cert, key, logPath string
	roots                         *x509.CertPool
}

func startTLS(t *testing.T) *tlsServer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	files := t.TempDir()
	s := &tlsServer{
		t: t, ctx: ctx, addr: freeAddr(t), dir: filepath.Join(files, "data"), roots: x509.NewCertPool(),
		cert: filepath.Join(files, "cert.pem"), key: filepath.Join(files, "key.pem"), logPath: filepath.Join(files, "log"),
	}
	s.writeCertificate(1)
	log, err := os.Create(s.logPath)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s.cmd = exec.CommandContext(ctx, binary, "server", "--node-id", "alone", "--data-dir", s.dir,
		"--http-addr", s.addr, "--peer-addr", freeAddr(t), "--gossip-addr", freeAddr(t), "--tls-cert-file", s.cert, "--tls-key-file", s.key)
	s.cmd.Stderr = log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill() }) // it has ended, unless the test failed
	s.until("it is ready", func() bool { return s.get("/readyz", "") == http.StatusOK })
	return s
}

// writeCertificate makes a certificate with the serial number, which the client trusts.
func (s *tlsServer) writeCertificate(serial int64) {
	s.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		s.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		s.t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{s.cert: {Type: "CERTIFICATE", Bytes: der}, s.key: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		s.t.Fatal(err)
	}
	s.roots.AddCert(made)
}

// get is the status of an answer; 0 if there is none.
func (s *tlsServer) get(path, key string) int {
	s.t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.roots}, DisableKeepAlives: true}}
	r, err := http.NewRequestWithContext(s.ctx, http.MethodGet, "https://"+s.addr+path, http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("X-API-KEY", key)
	answer, err := client.Do(r)
	if err != nil {
		return 0
	}
	answer.Body.Close()
	return answer.StatusCode
}

// untilSerial waits for a handshake with the certificate that has the serial number.
func (s *tlsServer) untilSerial(want int64) {
	s.t.Helper()
	s.until("the certificate is served", func() bool {
		dialer := &tls.Dialer{Config: &tls.Config{RootCAs: s.roots}}
		conn, err := dialer.DialContext(s.ctx, "tcp", s.addr)
		if err != nil {
			return false
		}
		defer conn.Close()
		return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64() == want
	})
}

func (s *tlsServer) signal(signal os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
}

func (s *tlsServer) log() string {
	s.t.Helper()
	text, err := os.ReadFile(s.logPath)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// until waits for a condition, as long as the test has.
func (s *tlsServer) until(what string, condition func() bool) {
	s.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-s.ctx.Done():
			s.t.Fatalf("%s: not in time\n%s", what, s.log())
		case <-tick.C:
		}
	}
}
