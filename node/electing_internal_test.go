package node

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/raft"
)

// ask sends a request for a vote, and reports whether it was refused.
func ask(t *testing.T, e *electing, command any) bool {
	t.Helper()
	answers := make(chan raft.RPCResponse, 1)
	refused := e.refuses(raft.RPC{Command: command, RespChan: answers})
	if !refused {
		return false
	}
	switch answer := (<-answers).Response.(type) {
	case *raft.RequestVoteResponse:
		if answer.Granted {
			t.Error("refused with a vote")
		}
	case *raft.RequestPreVoteResponse:
		if answer.Granted {
			t.Error("refused with a pre-vote")
		}
	default:
		t.Errorf("refused with %T", answer)
	}
	return true
}

// TestElecting_ForgetfulVoter starts a node with an empty disk: it votes for
// nobody but a founder until it has caught up, also in its next life.
func TestElecting_ForgetfulVoter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs := &brittleLog{InmemStore: raft.NewInmemStore()}
		var e electing
		if err := e.begin(logs, false); err != nil {
			t.Fatal(err)
		}
		check := func(when string, want bool) {
			t.Helper()
			for _, command := range []any{
				&raft.RequestVoteRequest{Term: 7, LastLogIndex: 40}, &raft.RequestPreVoteRequest{Term: 7, LastLogIndex: 40},
			} {
				if got := ask(t, &e, command); got != want {
					t.Errorf("%s: %T refused: %t", when, command, got)
				}
			}
			for _, command := range []any{&raft.RequestVoteRequest{Term: 1, LastLogIndex: 1}, &raft.AppendEntriesRequest{Term: 7}} {
				if ask(t, &e, command) {
					t.Errorf("%s: %T refused", when, command)
				}
			}
		}
		check("at first", true)
		if e = (electing{}); e.begin(logs, true) != nil {
			t.Fatal("a second life does not begin")
		}
		check("in a second life", true)

		tries := 0
		if err := e.earn(t.Context(), func(context.Context) error {
			if tries++; tries < 3 {
				return errors.New("no leader")
			}
			return nil
		}); err != nil || tries != 3 {
			t.Fatalf("after %d tries: %v", tries, err)
		}
		check("caught up", false)
		if e = (electing{}); e.begin(logs, true) != nil {
			t.Fatal("a third life does not begin")
		}
		check("in a third life", false)
	})
}

// TestElecting_OlderData starts on data that an older program has left.
func TestElecting_OlderData(t *testing.T) {
	t.Parallel()
	var e electing
	if err := e.begin(&brittleLog{InmemStore: raft.NewInmemStore()}, true); err != nil || e.fresh.Load() {
		t.Errorf("a node with state must not vote: %v", err)
	}
}

// TestElecting_ForgetfulCandidate keeps a node that has forgotten the end of its
// log from asking for votes: one that lacks even more might give it.
func TestElecting_ForgetfulCandidate(t *testing.T) {
	t.Parallel()
	var e electing
	if err := e.begin(&brittleLog{InmemStore: raft.NewInmemStore()}, false); err != nil {
		t.Fatal(err)
	}
	if err := e.mayStand(50); err == nil {
		t.Error("a node with an empty disk stands for election with what it has got back so far")
	}
	if err := e.mayStand(foundingIndex); err != nil {
		t.Errorf("a founder: %v", err)
	}
	if err := e.admit(); err != nil {
		t.Fatal(err)
	}
	if err := e.mayStand(50); err != nil {
		t.Errorf("a node that has caught up: %v", err)
	}
}
