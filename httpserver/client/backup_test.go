package client_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cronraft/cronraft/httpserver/client"
)

// saving answers with a backup of text that says how long it is, and then ends, breaks
// off or goes silent.
func saving(text string, size int, end func(*http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Disposition", `attachment; filename="cronraft-c1-41.backup"`)
		w.Header().Set("Content-Length", strconv.Itoa(size))
		w.Header().Set("X-Cron-Node", "n2")
		w.Header().Set("X-Cron-Applied-Index", "41")
		_, _ = io.WriteString(w, text)
		w.(http.Flusher).Flush()
		end(r)
	}
}

// A server that cannot give a backup is not the last one to be asked.
func TestBackup(t *testing.T) {
	t.Parallel()
	full, busy := newFake(t, problem(503, "disk_full", "")), newFake(t, problem(429, "rate_limited", "1"))
	good := newFake(t, saving("the state", 9, ends))
	var file bytes.Buffer
	var m client.Meta
	b, err := newClient(t, soon, full.URL, busy.URL, good.URL).Backup(t.Context(), &file, client.Stale(), client.WithMeta(&m))
	if err != nil {
		t.Fatal(err)
	}
	if file.String() != "the state" || b.Name != "cronraft-c1-41.backup" || b.Size != 9 || b.Meta.Node != "n2" || b.Meta.AppliedIndex != 41 || m != b.Meta {
		t.Errorf("got %q, %+v", file.String(), b)
	}
	r := good.seen()[0]
	if want := "/api/cron-service/cluster/backup?consistency=stale"; r.uri != want || r.header.Get("Accept-Encoding") != "identity" {
		t.Errorf("asked for %s with %v", r.uri, r.header)
	}
}

// What broke off is an error, and not begun again.
func TestBackup_BreaksOff(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*http.Request){"breaks": breaks, "ends": ends} {
		a, other := newFake(t, saving("the sta", 9, end)), newFake(t, saving("the state", 9, ends))
		var file bytes.Buffer
		b, err := newClient(t, soon, a.URL, other.URL).Backup(t.Context(), &file)
		if b != nil || !errors.Is(err, client.ErrUnreachable) || !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "2 of 9 bytes") {
			t.Errorf("%s: got %v", name, err)
		}
		if len(other.seen()) != 0 || file.String() != "the sta" {
			t.Errorf("%s: wrote %q", name, file.String())
		}
	}
}

func TestBackup_Silence(t *testing.T) {
	t.Parallel()
	a := newFake(t, saving("the sta", 9, stays))
	c := newClient(t, soon, a.URL)
	c.SetSilence(50 * time.Millisecond)
	_, err := c.Backup(t.Context(), io.Discard)
	if !errors.Is(err, client.ErrUnreachable) || !strings.Contains(err.Error(), "did not answer in time") {
		t.Errorf("got %v", err)
	}
}

func TestBackup_ContextEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	b, err := newClient(t, soon, newFake(t, saving("the sta", 9, stays)).URL).OpenBackup(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(b, make([]byte, 7)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := b.Read(make([]byte, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

func TestBackup_Refusals(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		want   error
	}{
		"not the root key": {problem(403, "forbidden", ""), client.ErrForbidden},
		"an old server":    {problem(404, "not_found", ""), client.ErrNotFound},
		"something else":   {data(200, struct{}{}), client.ErrUnexpected},
		"no length": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/octet-stream")
			w.Header().Set("Content-Disposition", `attachment; filename="x"`)
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, "the state")
		}, client.ErrUnexpected},
	} {
		var file bytes.Buffer
		if _, err := newClient(t, soon, newFake(t, tt.answer).URL).Backup(t.Context(), &file); !errors.Is(err, tt.want) || file.Len() > 0 {
			t.Errorf("%s: got %v and %d bytes", name, err, file.Len())
		}
	}
	c := newClient(t, soon, newFake(t, data(200, struct{}{})).URL)
	if _, err := c.OpenBackup(t.Context(), client.Namespace("team")); err == nil {
		t.Error("a backup of one namespace was accepted")
	}
}
