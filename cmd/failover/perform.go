package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/cronraft/cronraft/internal/checker"
	"github.com/cronraft/cronraft/internal/group"
)

// runOne runs a scenario. What is wrong with the cluster goes into the result, an
// error ends the suite.
func (s *suite) runOne(ctx context.Context, sc scenario, r *result) error {
	if err := s.provide(ctx, sc); err != nil {
		return fmt.Errorf("start a cluster: %w", err)
	}
	out := filepath.Join(s.settings.out, sc.name)
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	st := &stage{
		cluster: s.cluster, net: s.machine.net, isShort: s.settings.short, out: out,
		rng: rand.New(rand.NewPCG(s.settings.seed, uint64(s.started))),
	}
	undo := func(context.Context) error { return nil }
	if sc.before != nil {
		var err error
		if undo, err = sc.before(ctx, st); err != nil {
			return fmt.Errorf("prepare: %w", err)
		}
	}
	h := checker.History{Name: sc.name, Seed: s.settings.seed}
	probe, err := newDiskProbe(s.place)
	if err != nil {
		return err
	}
	watching := group.New(ctx)
	watching.Go(probe.run)
	s.perform(ctx, st, &h, r)
	r.diskStood = probe.faults(time.Now())
	h.Faults = append(h.Faults, r.diskStood...)
	if err := watching.Stop(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return errors.Join(err, os.RemoveAll(out))
	}
	if err := undo(ctx); err != nil {
		r.fail("afterwards: %v", err)
	}
	r.judge(h, s.settings.strict)
	if err := s.keep(r, h, out); err != nil {
		return err
	}
	if len(r.problems) > 0 {
		s.closeCluster() // the next one begins anew
	}
	return nil
}

// perform lets the clients work while the scenario is played, and reads what came
// of it.
func (s *suite) perform(ctx context.Context, st *stage, h *checker.History, r *result) {
	w := &workload{
		cluster: st.cluster, target: s.target, down: &st.down, seed: s.settings.seed,
		prefix: fmt.Sprintf("%s%d", r.scenario.name, s.started), unknown: s.unknown,
	}
	s.target.hold()
	h.Began = time.Now()
	err := w.start(ctx, r.scenario.load)
	if err == nil {
		err = pause(ctx, warmUp)
	}
	if err == nil {
		err = r.scenario.play(ctx, st)
	}
	if err == nil {
		err = pause(ctx, coolDown)
	}
	if err != nil {
		r.fail("%v", err)
	}
	if err := st.mend(ctx); err != nil {
		r.fail("%v", err)
	}
	if err := w.stop(); err != nil {
		r.fail("clients: %v", err)
	}
	if ctx.Err() != nil {
		return
	}
	s.target.release()
	if err := w.finish(ctx, h); err != nil {
		r.fail("afterwards: %v", err)
	}
	h.Faults, h.Nodes = st.faults, st.names()
	for _, op := range h.Ops {
		if op.Kind == checker.OpCreate && op.Outcome == checker.Unknown {
			s.unknown[op.Job] = true
		}
	}
	r.measure(st, w, h)
}

// measure adds to a result what the history does not tell.
func (r *result) measure(st *stage, w *workload, h *checker.History) {
	r.ops, r.writeGap = w.writes()
	r.stood = w.target.stalls.longest(h.Began)
	r.problems = append(r.problems, w.complaints...)
	for _, m := range st.marks {
		r.firsts = append(r.firsts, firstAfter(m, h.Deliveries)...)
	}
	problems, err := linearizable(w.registers, st.out)
	if err != nil {
		r.fail("%v", err)
	}
	r.problems = append(r.problems, problems...)
	for _, x := range w.registers {
		if n := len(x.history); n < leastOperations {
			r.fail("register: only %d operations on %s", n, x.name)
		}
	}
}

// leastOperations is how many a register's history has at least, or its clients
// did not work.
const leastOperations = 20

// finish waits until all is quiet, reads everything, and removes the jobs.
func (w *workload) finish(ctx context.Context, h *checker.History) error {
	var err error
	if h.Settled, err = w.settle(ctx); err != nil {
		err = fmt.Errorf("it does not become quiet: %w", err)
	}
	jobs, listing := w.allJobs(ctx)
	reading := w.collect(ctx, h, jobs)
	h.Ended = time.Now()
	w.history(h)
	return errors.Join(err, listing, reading, w.deleteAll(ctx, jobs))
}

// keep saves the history if it may be of use, and removes the folder if not.
func (s *suite) keep(r *result, h checker.History, out string) error {
	if len(r.problems) == 0 && !s.settings.keep {
		return os.RemoveAll(out)
	}
	r.history = filepath.Join(out, "history.json.gz")
	if err := checker.Save(r.history, &h); err != nil {
		return err
	}
	for i := range s.cluster.Len() {
		n := s.cluster.Node(i)
		log, err := os.ReadFile(n.LogPath)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(out, n.ID+".log"), log, 0o644); err != nil {
			return err
		}
	}
	return nil
}
