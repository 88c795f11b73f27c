package httpserver

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/valyala/fasthttp"
)

// What ends early is never taken for the whole.
func TestBackup_Breaks(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(s *testServer, from *source){
		"cannot be read": func(_ *testServer, from *source) { from.err = errDisk },
		"is too short":   func(*testServer, *source) {},
	} {
		from := newSource(large)
		s := start(t, "n1", &backend{store: newStore(), backup: backups(large+1, from)})
		end(s, from)
		n, err := io.Copy(io.Discard, s.openBackup(t.Context()).Body)
		if n > large || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %d bytes until %v", name, n, err)
		}
		awaitEnd(t, from.ended)
		if logs := s.logs.String(); !strings.Contains(logs, "a stream broke") || !strings.Contains(logs, "to go") {
			t.Errorf("%s: logged %s", name, logs)
		}
	}
}

func TestBackup_EndsWithTheServer(t *testing.T) {
	t.Parallel()
	from := newSource(large)
	s := start(t, "n1", &backend{store: newStore(), backup: backups(large, from)})
	res := s.openBackup(t.Context())
	if _, err := io.ReadFull(res.Body, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if n := from.closes.Load(); n != 1 {
		t.Errorf("closed %d times when the server has stopped", n)
	}
	if n, err := io.Copy(io.Discard, res.Body); n+1000 >= large || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%d bytes until %v", n+1000, err)
	}
}

// A backup that is made and not sent is closed.
func TestBackup_Dropped(t *testing.T) {
	t.Parallel()
	t.Run("too many streams", func(t *testing.T) {
		t.Parallel()
		from := newSource(9)
		s := startBare(t, &backend{store: newStore(), backup: backups(9, from)}, func(c *Config) { c.Limits.Streams = 1 })
		if cause := s.slots.enter(theRootKey.ID); cause != nil {
			t.Fatal(cause)
		}
		if res := s.ask("GET", "/cluster/backup", "", headerAPIKey, rootKey); res.codeOf(t) != "rate_limited" || from.closes.Load() != 1 || len(s.backups) != 0 {
			t.Errorf("status %d, closed %d times, %d places taken", res.status, from.closes.Load(), len(s.backups))
		}
	})
	t.Run("server stopped", func(t *testing.T) {
		t.Parallel()
		from := newSource(9)
		s := startBare(t, &backend{store: newStore(), backup: backups(9, from)})
		res := s.ask("GET", "/cluster/backup", "", headerAPIKey, rootKey)
		if err := s.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		fc, _ := s.beginAnswer(t, res)
		if _, err := io.ReadAll(fc.Response.BodyStream()); !errors.Is(err, errStopped) {
			t.Errorf("read until %v", err)
		}
		awaitEnd(t, from.ended)
	})
	t.Run("forwarded", func(t *testing.T) {
		t.Parallel()
		s := startBare(t, &backend{store: newStore(), backup: noBackup(t)})
		r := &request{method: "GET", path: basePath + "/cluster/backup", headers: []header{{headerAPIKey, rootKey}}}
		raw, err := r.encode()
		if err != nil {
			t.Fatal(err)
		}
		answer, err := s.ServeForwarded(t.Context(), raw)
		if err != nil || !strings.Contains(string(answer), "404") {
			t.Errorf("got %s, %v", answer, err)
		}
	})
}

// sendTo writes the answer to a connection as fasthttp does.
func sendTo(conn net.Conn, fc *fasthttp.RequestCtx) error {
	w := bufio.NewWriter(conn)
	return errors.Join(fc.Response.Write(w), w.Flush(), conn.Close())
}

// A reader may take its time, as long as it reads.
func TestBackup_SlowReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const size = 100*backupChunk + 7
		from := newSource(size)
		s := startBare(t, &backend{store: newStore(), backup: backups(size, from)})
		began := time.Now()
		fc, far := s.beginAnswer(t, s.ask("GET", "/cluster/backup", "", headerAPIKey, rootKey), header{headerAPIKey, rootKey})
		go func() { _ = sendTo(fc.Conn(), fc) }()
		var answer fasthttp.Response
		answer.StreamBody = true
		if err := answer.Read(bufio.NewReader(far)); err != nil {
			t.Fatal(err)
		}
		got := int64(0)
		for {
			time.Sleep(writeTimeout - time.Second)
			n, err := io.CopyN(io.Discard, answer.BodyStream(), backupChunk)
			if got += n; err != nil {
				break
			}
		}
		if got != size || time.Since(began) < 20*time.Minute {
			t.Errorf("got %d of %d bytes in %v", got, size, time.Since(began))
		}
		<-from.ended
	})
}

// A reader that reads nothing does not hold a backup for long.
func TestBackup_ReaderThatDoesNotRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		from := newSource(large)
		s := startBare(t, &backend{store: newStore(), backup: backups(large, from)})
		began := time.Now()
		fc, _ := s.beginAnswer(t, s.ask("GET", "/cluster/backup", "", headerAPIKey, rootKey), header{headerAPIKey, rootKey})
		sent := make(chan error, 1)
		go func() { sent <- sendTo(fc.Conn(), fc) }()
		<-from.ended
		if took := time.Since(began); took < writeTimeout || took > 2*writeTimeout {
			t.Errorf("cut off after %v", took)
		}
		if err := <-sent; err == nil {
			t.Error("the answer was sent")
		}
		if len(s.backups) != 0 {
			t.Error("its place is taken")
		}
	})
}
