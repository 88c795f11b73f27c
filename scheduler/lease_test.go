package scheduler

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// A batch that lies in the socket of a stopped node starts nothing once the node
// goes on: by then the attempt runs elsewhere.
func TestLease_BatchInAStoppedNodesSocket(t *testing.T) {
	t.Parallel()
	for stopped := time.Second; stopped < 30*time.Second; stopped += 1700 * time.Millisecond {
		t.Run(stopped.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorldWithJob("n1", "n2")
				q := w.makeRequests(always(20 * time.Second))
				w.start(t)
				time.Sleep(300 * time.Millisecond)
				w.stopNode("n2")
				o := running("n2", 1)
				w.setOpen(o)
				time.Sleep(stopped)
				w.goOn("n2")
				time.Sleep(time.Minute)
				if most := q.mostOpen(); most != 1 {
					t.Errorf("%d requests of one job were open at once", most)
				}
				if got := w.result(o.Execution); got != job.Success {
					t.Errorf("result = %q, want %q", got, job.Success)
				}
			})
		})
	}
}

// A leader that was paused does not know whether it was replaced.
func TestLease_PausedLeaderConfirmsFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldWithJob("n1", "n2")
		var slow time.Duration
		w.confirm = func(ctx context.Context) error {
			w.mu.Lock()
			d := slow
			w.mu.Unlock()
			return pause(ctx, d)
		}
		w.start(t)
		time.Sleep(5 * time.Second)
		w.office().freeze()
		paused := time.Now()
		time.Sleep(30 * time.Second)
		o := running("n2", 1)
		w.setOpen(o)
		w.mu.Lock()
		slow = 2 * time.Second
		w.mu.Unlock()
		w.thaw()
		woke := time.Now()
		time.Sleep(10 * time.Second)
		for _, id := range w.members {
			renewed := false
			for _, c := range w.callsTo(id) {
				// What it was about to send when it was paused rests on an old reply.
				rests := w.nodes[id].born.Add(time.Duration(c.batch.Token))
				fresh := rests.After(paused.Add(time.Second))
				if fresh && c.at.Before(woke.Add(2*time.Second)) {
					t.Errorf("call to %s %v after the leader woke, %+v: want none before it is confirmed, after 2s", id, c.at.Sub(woke), c)
				}
				renewed = renewed || fresh
			}
			if !renewed {
				t.Errorf("no lease for %s after the leader was confirmed", id)
			}
		}
		if got := w.openOf(o.Execution); len(w.assignedTo(got.Node.ID)) == 0 {
			t.Errorf("the execution is %+v, and was not assigned once the leader was confirmed", got)
		}
	})
}

// A confirmation tells of the time at which it was asked for.
func TestLease_ALateConfirmationIsNone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("n1")
		var asked atomic.Int32
		w.confirm = func(context.Context) error {
			switch asked.Add(1) {
			case 2:
				time.Sleep(30 * time.Second)
			case 3:
				time.Sleep(2 * time.Second)
			}
			return nil
		}
		begin := time.Now()
		w.start(t)
		time.Sleep(40 * time.Second)
		for _, c := range w.callsTo("n1") {
			if at := c.at.Sub(begin); at > 2500*time.Millisecond && at < 33*time.Second {
				t.Errorf("called after %v; want nothing between the 2.5s of the first confirmation and the third, after 33s", at)
			}
		}
		if calls := w.callsTo("n1"); calls[len(calls)-1].at.Sub(begin) < 39*time.Second {
			t.Error("no calls after the term was confirmed again")
		}
	})
}

func TestLease_LapsesWithoutConfirmations(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("n1", "n2")
		w.start(t)
		time.Sleep(3500 * time.Millisecond)
		last := time.Now().Add(-500 * time.Millisecond) // when the last confirmation was asked for
		w.mu.Lock()
		w.seats[0].isolated = true
		w.mu.Unlock()
		time.Sleep(20 * time.Second)
		calls := w.callsTo("n2")
		if at := calls[len(calls)-1].at; at.Sub(last) > 2500*time.Millisecond || at.Sub(last) < 2*time.Second {
			t.Errorf("the last lease was granted %v after the confirmation, want about 2.5s", at.Sub(last))
		}
		before := len(calls)
		w.mu.Lock()
		w.seats[0].isolated = false
		w.mu.Unlock()
		time.Sleep(3 * time.Second)
		if n := len(w.callsTo("n2")) - before; n < 2 {
			t.Errorf("%d calls in three seconds after the term was confirmed again", n)
		}
	})
}

// Two leaders, one of them without a majority and without knowing, both with
// nodes that the other cannot reach.
func TestLease_DeposedLeaderKeepsNoNodeAlive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldWithJob("n1", "n2", "n3")
		q := w.makeRequests(always(40 * time.Second))
		w.startTerm(t)
		time.Sleep(time.Second)
		o := running("n2", 1)
		w.setOpen(o)
		time.Sleep(2 * time.Second)
		w.mu.Lock()
		w.seats[0].isolated = true
		w.mu.Unlock()
		cfg := w.config()
		w.mu.Lock()
		w.seats[1].cut = []string{"n2"}
		w.mu.Unlock()
		w.runTerm(t, cfg)
		time.Sleep(2 * time.Minute)
		if made, most := q.madeOf(o.Execution), q.mostOpen(); made != 2 || most != 1 {
			t.Errorf("%d requests, %d open at once; want 2, one at a time", made, most)
		}
	})
}

// Whatever happens to nodes, leaders and calls, a SKIP job never has two requests
// open; and once all is well again, it runs again.
func TestLease_Chaos(t *testing.T) {
	t.Parallel()
	for seed := range uint64(25) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { chaos(t, seed) })
		})
	}
}

func chaos(t *testing.T, seed uint64) {
	rng, theirs := rand.New(rand.NewPCG(seed, 1)), rand.New(rand.NewPCG(seed, 2))
	w := newWorld("n1", "n2", "n3")
	q := w.makeRequests(upTo(theirs, 25*time.Second))
	for id := range w.nodes {
		w.nodes[id].delay = upTo(theirs, time.Duration(1+rng.IntN(1500))*time.Millisecond)
	}
	w.addJob(1, everySecond)
	w.startTerm(t)
	ids := []string{"n1", "n2", "n3"}
	for range 60 {
		time.Sleep(time.Duration(rng.IntN(6000)) * time.Millisecond)
		mishap(t, w, rng, ids[rng.IntN(3)])
	}
	for _, id := range ids {
		w.goOn(id)
		w.node(id, func(n *fakeNode) { n.down, n.gone, n.hung, n.delay = false, false, false, nil })
	}
	w.thaw()
	w.startTerm(t)
	time.Sleep(time.Minute)
	healed := time.Now()
	time.Sleep(time.Minute)
	w.mu.Lock()
	defer w.mu.Unlock()
	if q.most > 1 {
		t.Errorf("%d requests of one SKIP job were open at once", q.most)
	}
	if q.last.Before(healed) {
		t.Errorf("no request since %v, though all is well since %v", q.last, healed)
	}
}

// mishap does something to a node, to what leads, or to the calls between them.
func mishap(t *testing.T, w *world, rng *rand.Rand, id string) {
	switch rng.IntN(10) {
	case 0:
		w.stopNode(id)
	case 1, 2:
		w.goOn(id)
	case 3:
		w.restart(id)
	case 4:
		w.node(id, func(n *fakeNode) { n.down, n.gone, n.hung = false, rng.IntN(2) == 0, rng.IntN(2) == 0 })
	case 5, 6:
		w.node(id, func(n *fakeNode) { n.down, n.gone, n.hung = false, false, false })
	case 7:
		w.office().freeze()
	case 8:
		w.thaw()
	case 9:
		w.mu.Lock()
		w.seats[len(w.seats)-1].isolated = true
		w.mu.Unlock()
		cfg := w.config()
		w.mu.Lock()
		if rng.IntN(2) == 0 {
			w.seats[len(w.seats)-1].cut = []string{id}
		}
		w.mu.Unlock()
		w.runTerm(t, cfg)
	}
}
