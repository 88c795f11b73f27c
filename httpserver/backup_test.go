package httpserver

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cronraft/cronraft/internal/job"
)

// source is what a backup is read from: zeros, as many as there are to be, or an error
// after some of them.
type source struct {
	left  int64
	err   error // at the end
	ended chan struct{}
	// closes counts the calls of Close.
	closes atomic.Int32
}

func newSource(size int64) *source {
	return &source{left: size, err: io.EOF, ended: make(chan struct{})}
}

func (s *source) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, s.err
	}
	n := min(int64(len(p)), s.left)
	clear(p[:n])
	s.left -= n
	return int(n), nil
}

func (s *source) Close() error {
	if s.closes.Add(1) == 1 {
		close(s.ended)
	}
	return nil
}

// large does not fit into what is between a server and its client.
const large = 64 << 20

// backups hands out sources, in turn, of backups of a size.
func backups(size int64, sources ...*source) func() (Backup, error) {
	var next atomic.Int32
	return func() (Backup, error) {
		return Backup{ReadCloser: sources[next.Add(1)-1], ClusterID: "c1", Index: 41, At: now, Size: size}, nil
	}
}

// noBackup fails the test for any backup.
func noBackup(t *testing.T) func() (Backup, error) {
	return func() (Backup, error) {
		t.Error("a backup was made")
		return Backup{}, errDisk
	}
}

// openBackup asks for a backup, and returns the answer with its body still to be read.
func (s *testServer) openBackup(ctx context.Context) *http.Response {
	s.t.Helper()
	return s.openPath(ctx, http.MethodGet, "/cluster/backup")
}

func TestBackup(t *testing.T) {
	t.Parallel()
	from := newSource(large)
	s := start(t, "n1", &backend{store: newStore(), backup: backups(large, from)})
	res := s.openBackup(t.Context())
	for name, want := range map[string]string{
		"Content-Type": "application/octet-stream", "Content-Length": "67108864",
		"Content-Disposition": `attachment; filename="cronraft-c1-41-20260326T161230Z.backup"`,
		headerAppliedIndex:    "41", headerNode: "n1",
	} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if n, err := io.Copy(io.Discard, res.Body); res.StatusCode != 200 || n != large || err != nil {
		t.Errorf("status %d, %d bytes, %v", res.StatusCode, n, err)
	}
	awaitEnd(t, from.ended)
	if n := from.closes.Load(); n != 1 {
		t.Errorf("closed %d times", n)
	}
	if logs := s.logs.String(); !strings.Contains(logs, "a backup begins") || !strings.Contains(logs, "key="+theRootKey.ID) {
		t.Errorf("logged %s", logs)
	}
}

func TestBackup_IsWhatTheBackendHas(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	for range maxBackups + 1 { // each gives its place back
		a := s.do("GET", "/cluster/backup", "")
		if a.status == 429 { // the one before has not quite ended
			continue
		}
		if a.status != 200 || a.body != "the state" {
			t.Errorf("status %d: %q", a.status, a.body)
		}
	}
}

func TestBackup_HeadMakesNone(t *testing.T) {
	t.Parallel()
	s := start(t, "n1", &backend{store: newStore(), backup: noBackup(t)})
	a := s.do("HEAD", "/cluster/backup", "")
	if a.status != 200 || a.header.Get("Content-Type") != contentBackup || a.header.Get("Content-Length") != "" {
		t.Errorf("status %d, headers %v", a.status, a.header)
	}
	s.do("GET", "/cluster", "").want(200) // on the same connection
}

func TestBackup_IsForTheRootKeyOnly(t *testing.T) {
	t.Parallel()
	s := start(t, "n1", &backend{store: newStore(), backup: noBackup(t)})
	for _, key := range []job.APIKey{
		{Namespace: "team", Role: job.RoleAdmin}, {Namespace: "team", Role: job.RoleEditor}, {Namespace: "team", Role: job.RoleReader},
		{Namespace: job.DefaultNamespace, Role: job.RoleAdmin}, {Role: job.RoleReader, Root: true},
	} {
		s.authorize = func(context.Context, string) (job.APIKey, error) { return key, nil }
		for _, query := range []string{"", "?consistency=stale"} {
			if p := s.do("GET", "/cluster/backup"+query, "").problem(403, "forbidden"); !key.Root && key.Role == job.RoleAdmin && !strings.Contains(p.Detail, "root API key") {
				t.Errorf("the refusal is %q", p.Detail)
			}
		}
	}
}

func TestBackup_BadRequests(t *testing.T) {
	t.Parallel()
	s := start(t, "n1", &backend{store: newStore(), backup: noBackup(t)})
	s.do("GET", "/cluster/backup?namespace=team", "").problem(400, "validation_error")
	s.do("GET", "/cluster/backup?consistency=old", "").problem(400, "validation_error")
	s.do("POST", "/cluster/backup", "").problem(405, "method_not_allowed")
	s.do("GET", "/cluster/backup", "", headerAPIKey, "").problem(401, "unauthorized")
}

// A backup is this node's own, at a read point unless it is to be stale.
func TestBackup_Consistency(t *testing.T) {
	t.Parallel()
	b := &backend{store: newStore(), barrier: func(context.Context) error { return job.ErrNotLeader }}
	b.forward = func(context.Context, []byte) ([]byte, error) {
		t.Error("forwarded")
		return nil, job.ErrNotLeader
	}
	s := start(t, "n1", b)
	if p := s.do("GET", "/cluster/backup", "").problem(503, "no_leader"); !strings.Contains(p.Detail, "consistency=stale") {
		t.Errorf("the refusal does not say what to do: %s", p.Detail)
	}
	if a := s.do("GET", "/cluster/backup?consistency=stale", ""); a.status != 200 || a.body != "the state" {
		t.Errorf("status %d: %s", a.status, a.body)
	}
}

func TestBackup_Errors(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err    error
		status int
		code   string
	}{
		"no room":     {job.Errorf(job.CodeDiskFull, "nearly full"), 503, "disk_full"},
		"no idea why": {errDisk, 500, "internal"},
	} {
		s := start(t, "n1", &backend{store: newStore(), backup: func() (Backup, error) { return Backup{}, tt.err }})
		for range maxBackups + 1 { // a failure keeps no place
			a := s.do("GET", "/cluster/backup", "")
			if a.problem(tt.status, tt.code); strings.Contains(a.body, "/secret") {
				t.Errorf("%s: %s", name, a.body)
			}
		}
	}
}

func TestBackup_OnlyTwoAtOnce(t *testing.T) {
	t.Parallel()
	first, second, third := newSource(large), newSource(large), newSource(9)
	s := start(t, "n1", &backend{store: newStore(), backup: backups(large, first, second)})
	ctx, leave := context.WithCancel(t.Context())
	s.openBackup(ctx)
	other := s.openBackup(t.Context())
	a := s.do("GET", "/cluster/backup", "")
	if p := a.problem(429, "rate_limited"); a.header.Get(headerRetryAfter) == "" || !strings.Contains(p.Detail, "2 backups") {
		t.Errorf("headers %v: %s", a.header, a.body)
	}
	wantMetric(t, s.registry, metricLimited, limitedBackups, 1)
	leave() // in the middle
	awaitEnd(t, first.ended)
	s.backend.backup = backups(9, third)
	await(t, "a reader that left makes room", func() bool { return s.do("GET", "/cluster/backup", "").status == 200 })
	if n, err := io.Copy(io.Discard, other.Body); n != large || err != nil {
		t.Errorf("the other one has %d bytes, %v", n, err)
	}
}
