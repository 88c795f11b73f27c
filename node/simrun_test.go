//go:build !race

package node_test

import (
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// simRun says how a simulation is to go. CRONRAFT_SIM_DAYS is how long the one with
// every fault lasts, CRONRAFT_SIM_SEED what its chances come from, CRONRAFT_SIM_OUT
// the folder for what a failed run saw. A seed repeats the faults and the
// operations, not the interleaving: that is why the history is worth keeping.
type simRun struct {
	days  int
	seed  uint64
	out   string
	began time.Time
}

func readSimRun(t *testing.T) simRun {
	t.Helper()
	return simRun{
		days: int(simNumber(t, "CRONRAFT_SIM_DAYS", 1)), seed: simNumber(t, "CRONRAFT_SIM_SEED", 1), out: os.Getenv("CRONRAFT_SIM_OUT"),
	}
}

func simNumber(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// simBegins are moments shortly before some zone changes its clocks.
var simBegins = []time.Time{
	time.Date(2026, 3, 7, 20, 0, 0, 0, time.UTC),   // New York, forward
	time.Date(2026, 3, 28, 18, 0, 0, 0, time.UTC),  // Berlin, forward
	time.Date(2026, 4, 4, 12, 0, 0, 0, time.UTC),   // Lord Howe and Santiago, back
	time.Date(2026, 9, 5, 21, 0, 0, 0, time.UTC),   // Santiago, forward
	time.Date(2026, 10, 3, 12, 0, 0, 0, time.UTC),  // Lord Howe, forward
	time.Date(2026, 10, 24, 22, 0, 0, 0, time.UTC), // Berlin, back; New York a week later
}

// simulate runs f in a bubble whose time begins at one of simBegins. A bubble that
// hangs, because a goroutine waits for a mutex of one that sleeps, is ended with
// the stacks of all goroutines.
func simulate(t *testing.T, f func(t *testing.T, run simRun)) {
	t.Helper()
	run := readSimRun(t)
	guard := time.AfterFunc(time.Duration(10+5*run.days)*time.Minute, func() {
		debug.SetTraceback("all")
		panic(t.Name() + " hangs")
	})
	defer guard.Stop()
	defer forgive()
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // a bubble's heap is small, and its rubbish is not
	synctest.Test(t, func(t *testing.T) {
		run.began = simBegins[run.seed%uint64(len(simBegins))]
		time.Sleep(time.Until(run.began))
		f(t, run)
	})
}

// forgiven are goroutines that may be left in a bubble: those that wait for an
// answer which raft forgot to give when it was stopped, and the one that tells
// fasthttp the time from its first answer on. A process that ends does not mind.
var forgiven = []string{"raft.(*deferError).Error", "fasthttp.updateServerDate"}

// forgive lets a bubble end though there are forgiven goroutines in it. Any other is
// a fault.
func forgive() {
	reason := recover()
	if reason == nil {
		return
	}
	if err, ok := reason.(error); !ok || !strings.Contains(err.Error(), "blocked goroutines remain") {
		panic(reason)
	}
	stacks := make([]byte, 64<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		head, _, _ := strings.Cut(stack, "\n")
		isForgiven := slices.ContainsFunc(forgiven, func(f string) bool { return strings.Contains(stack, f) })
		if strings.Contains(head, "synctest bubble") && !isForgiven {
			panic(reason)
		}
	}
}

// chance is a source of chances of its own for each use.
func (r simRun) chance(use uint64) *rand.Rand { return rand.New(rand.NewPCG(r.seed, use)) }
