package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cronraft/cronraft/internal/checker"
	"github.com/cronraft/cronraft/internal/group"
)

const (
	writers   = 4
	seconds   = 200 // one-second jobs of the plain load
	pollEvery = 20 * time.Millisecond
	readEvery = 150 * time.Millisecond
)

// load is what clients do while a scenario lasts.
type load struct {
	// plain: [seconds] jobs of one second, and no other client.
	plain bool
	// brief: no target holds requests for [longHold].
	brief bool
}

// workload is the clients of one scenario and what they saw.
type workload struct {
	cluster servers
	target  *target
	// prefix begins the names of all its jobs.
	prefix string
	// unknown are the jobs of earlier workloads whose creation had an unknown outcome:
	// a request that lay in the queue of a cut connection may make one when it heals.
	unknown   map[string]bool
	seed      uint64
	down      *atomic.Uint64 // nodes that a client had better not ask, as bits
	clients   *group.Group
	registers []*register
	// began and ended are when clients were writing; zero if none did.
	began, ended time.Time

	// mu guards the fields below.
	mu         sync.Mutex
	ops        []checker.Op
	reads      []checker.Read
	jobs       []string // the IDs of jobs that can be read
	complaints []string
}

// start creates the jobs, which has to succeed because nothing is broken yet, and
// lets the clients begin. They end with [workload.stop].
func (w *workload) start(ctx context.Context, l load) error {
	w.clients = group.New(ctx)
	if err := w.createSteady(ctx, l); err != nil || l.plain {
		return err
	}
	w.began = time.Now()
	for i := range writers {
		c := w.writer(fmt.Sprintf("w%d", i))
		w.clients.Go(c.run)
	}
	for i := range 2 {
		rng := w.rng(fmt.Sprintf("poll%d", i))
		w.clients.Go(func(ctx context.Context) error { return w.poll(ctx, rng) })
	}
	return w.startRegisters(ctx)
}

// createSteady creates the jobs that nobody changes, several at a time.
func (w *workload) createSteady(ctx context.Context, l load) error {
	specs := steadySpecs(!l.brief)
	if l.plain {
		specs = slices.Repeat([]spec{job(behaveOK, 1)}, seconds)
	}
	creating := group.New(ctx)
	for i := range writers {
		creating.Go(func(ctx context.Context) error {
			c := w.writer(fmt.Sprintf("steady%d", i))
			for k := i; k < len(specs); k += writers {
				if c.create(ctx, specs[k]) == nil {
					return fmt.Errorf("a job could not be created before anything was broken: %+v", specs[k])
				}
			}
			return nil
		})
	}
	return creating.Wait()
}

// stop ends the clients. What they had begun is waited for.
func (w *workload) stop() error {
	w.ended = time.Now()
	return w.clients.Stop()
}

func (w *workload) writer(name string) *writer {
	return &writer{w: w, name: name, rng: w.rng(name)}
}

// rng draws the same for the same name in each run of one seed.
func (w *workload) rng(name string) *rand.Rand {
	h := w.seed
	for _, b := range []byte(w.prefix + name) {
		h = h*1099511628211 + uint64(b)
	}
	return rand.New(rand.NewPCG(w.seed, h))
}

// node picks one that lives as far as is known, and sometimes any.
func (w *workload) node(rng *rand.Rand) int {
	down := w.down.Load()
	for range 8 {
		if i := rng.IntN(w.cluster.Len()); down&(1<<i) == 0 || rng.IntN(10) == 0 {
			return i
		}
	}
	return rng.IntN(w.cluster.Len())
}

// poll reads executions of random jobs until the workload ends.
func (w *workload) poll(ctx context.Context, rng *rand.Rand) error {
	for pause(ctx, readEvery) == nil {
		id := w.anyJob(rng)
		if id == "" {
			continue
		}
		var list struct {
			Executions []struct{ ExecutionID, Result string }
		}
		asked := time.Now()
		if !get(ctx, w.cluster, w.node(rng), "/jobs/"+id+"/executions?limit=20", &list) {
			continue
		}
		now := time.Now()
		w.mu.Lock()
		for _, x := range list.Executions {
			w.reads = append(w.reads, checker.Read{Asked: asked, At: now, JobID: id, ID: x.ExecutionID, Result: x.Result})
		}
		w.mu.Unlock()
	}
	return nil
}

func (w *workload) anyJob(rng *rand.Rand) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.jobs) == 0 {
		return ""
	}
	return pick(rng, w.jobs)
}

func (w *workload) known(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.jobs = append(w.jobs, id)
}

func (w *workload) forget(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.jobs = slices.DeleteFunc(w.jobs, func(other string) bool { return other == id })
}

func (w *workload) note(op checker.Op) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ops = append(w.ops, op)
}

// complain notes something that is wrong whatever the history says.
func (w *workload) complain(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.complaints = append(w.complaints, fmt.Sprintf(format, args...))
}

// pause waits, and fails if ctx ends before.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// until asks every few milliseconds whether something is so, for at most limit.
func until(ctx context.Context, limit time.Duration, what string, condition func() bool) error {
	end := time.Now().Add(limit)
	for !condition() {
		if time.Now().After(end) {
			return errors.New("after " + limit.String() + " still not: " + what)
		}
		if err := pause(ctx, pollEvery); err != nil {
			return err
		}
	}
	return nil
}
