package node

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// awayTransport fails until the follower is back.
type awayTransport struct {
	raftTransport
	back  time.Time
	calls int
}

func (a *awayTransport) AppendEntries(raft.ServerID, raft.ServerAddress, *raft.AppendEntriesRequest, *raft.AppendEntriesResponse) error {
	a.calls++
	if time.Now().Before(a.back) {
		return errors.New("connection refused")
	}
	return nil
}

func (a *awayTransport) Close() error { return nil }

func TestPlainTransport_WaitsForAFollower(t *testing.T) {
	entries := &raft.AppendEntriesRequest{Term: 3, PrevLogEntry: 7}
	for name, tc := range map[string]struct {
		args   *raft.AppendEntriesRequest
		wanted bool
		fails  bool
		within time.Duration
	}{
		"entries":                 {entries, true, false, 30*time.Second + reachPause},
		"entries for too long":    {&raft.AppendEntriesRequest{Term: 3, PrevLogEntry: 8}, true, true, patience + reachPause},
		"a heartbeat":             {&raft.AppendEntriesRequest{Term: 3}, true, true, 0},
		"entries nobody wants":    {entries, false, true, 0},
		"entries of another term": {&raft.AppendEntriesRequest{Term: 2, PrevLogEntry: 7}, true, true, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			away := 30 * time.Second
			if tc.args.PrevLogEntry == 8 {
				away = time.Hour
			}
			p := newPlainTransport(&awayTransport{back: began.Add(away)})
			wants := func(_ raft.ServerID, _ raft.ServerAddress, term uint64) bool { return tc.wanted && term == 3 }
			p.wants.Store(&wants)
			err := p.AppendEntries("n2", "addr", tc.args, &raft.AppendEntriesResponse{})
			if (err != nil) != tc.fails || time.Since(began) > tc.within {
				t.Errorf("%s: %v after %v", name, err, time.Since(began))
			}
		})
	}
}

func TestPlainTransport_CloseEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlainTransport(&awayTransport{back: time.Now().Add(time.Hour)})
		wants := func(raft.ServerID, raft.ServerAddress, uint64) bool { return true }
		p.wants.Store(&wants)
		ended := make(chan error, 1)
		go func() {
			ended <- p.AppendEntries("n2", "addr", &raft.AppendEntriesRequest{Term: 3, PrevLogEntry: 7}, &raft.AppendEntriesResponse{})
		}()
		time.Sleep(time.Second)
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; err == nil {
			t.Error("a call to a follower that is away succeeded")
		}
	})
}

// TestPlainTransport_RefusesWithAnError sends entries to a node without room: raft
// must not see them, and the leader must not take the answer for one about its log.
func TestPlainTransport_RefusesWithAnError(t *testing.T) {
	t.Parallel()
	entries := &raft.AppendEntriesRequest{Term: 3, Entries: []*raft.Log{{Index: 8}}}
	for name, tc := range map[string]struct {
		full    bool
		command any
		refused bool
	}{
		"entries, no room":     {true, entries, true},
		"entries, room":        {false, entries, false},
		"a heartbeat, no room": {true, &raft.AppendEntriesRequest{Term: 3}, false},
		"a vote, no room":      {true, &raft.RequestVoteRequest{Term: 3}, false},
	} {
		p := newPlainTransport(&awayTransport{})
		p.full = func() bool { return tc.full }
		answers := make(chan raft.RPCResponse, 1)
		refused := p.refuses(raft.RPC{Command: tc.command, RespChan: answers})
		if refused != tc.refused {
			t.Errorf("%s: refused %t", name, refused)
		}
		if !refused {
			continue
		}
		if answer := <-answers; !errors.Is(answer.Error, errDiskFull) {
			t.Errorf("%s: answered %+v without an error", name, answer)
		}
	}
}
