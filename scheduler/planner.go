package scheduler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cronraft/cronraft/internal/group"
	"github.com/cronraft/cronraft/internal/job"
)

const (
	// maxPlans is how many plans are under way at a time.
	maxPlans = 4

	// maxSlotsPerEntry keeps a plan far below the 1 MiB of a log entry, also with
	// the longest node names.
	maxSlotsPerEntry = 2000

	// maxStepsPerEntry bounds what the catching up of one plan may cost: some
	// tens of milliseconds. What is left goes into the next plan.
	maxStepsPerEntry = 50_000

	// minStep keeps the planner from spinning on an entry that is due and cannot
	// be planned.
	minStep = time.Millisecond

	// unreadablePause is how long a job is left alone that cannot be read, or its
	// schedule.
	unreadablePause = time.Minute

	// replayPause is how long a job is left alone whose next late slot waits for an
	// execution to end, unless one does.
	replayPause = 100 * time.Millisecond
)

// errReplaying: the job's slot waits until what runs of the job has ended.
var errReplaying = errors.New("an execution of the job is open, and it fires each missed slot after the other")

// planner commits what becomes of due slots. Nothing moves in its memory when a
// slot is planned: the applied plan moves the agenda on. Until then the jobs
// of plans under way are skipped.
type planner struct {
	cfg    *Config
	roster *roster
	wake   chan struct{}
	landed chan flight
	held   *holds

	// run alone uses the fields below.
	flying     int // plans under way
	planning   map[job.ID]struct{}
	unreadable map[job.ID]bool // logged
}

// flight is a plan that is no longer under way.
type flight struct {
	due []job.DueSlot
	// refused were not planned, and are to be left alone for a moment.
	refused []job.ID
	// replaying are jobs whose slot waits for an execution of theirs to end.
	replaying []job.ID
	// unreadable are jobs that cannot be read, or their schedule.
	unreadable []unreadable
}

type unreadable struct {
	job job.ID
	err error
}

func newPlanner(cfg *Config, r *roster) *planner {
	return &planner{
		cfg: cfg, roster: r,
		wake:       make(chan struct{}, 1),
		landed:     make(chan flight, maxPlans),
		planning:   map[job.ID]struct{}{},
		held:       newHolds(),
		unreadable: map[job.ID]bool{},
	}
}

// poke makes the planner look again: the agenda has changed, or a node has become
// eligible.
func (p *planner) poke() { poke(p.wake) }

// run works until the term ends.
func (p *planner) run(ctx context.Context, g *group.Group) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.wake:
		case f := <-p.landed:
			p.land(f)
		case <-timer.C:
		}
		timer.Reset(p.turn(g))
	}
}

// turn launches plans for what is due and returns when to look again.
func (p *planner) turn(g *group.Group) time.Duration {
	p.held.sweep(time.Now())
	now := p.cfg.Now()
	for p.flying < maxPlans && p.roster.hasAlive(time.Now()) {
		due := p.cfg.Agenda.Due(now, p.cfg.parts(maxSlotsPerEntry), p.isBusy)
		if len(due) == 0 {
			return p.wait(now)
		}
		p.launch(g, due)
	}
	return maxStep // something is under way, or will poke
}

// isBusy reports whether a job must not be planned now.
func (p *planner) isBusy(id job.ID) bool {
	_, planning := p.planning[id]
	return planning || p.held.has(id)
}

// wait is how long nothing is due.
func (p *planner) wait(now time.Time) time.Duration {
	wait := maxStep
	if soon := p.cfg.Agenda.Due(now.Add(maxStep), 1, p.isBusy); len(soon) > 0 {
		wait = soon[0].Due.Sub(now)
	}
	if first := p.held.next(); !first.IsZero() {
		wait = min(wait, time.Until(first))
	}
	return min(max(wait, minStep), maxStep)
}

func (p *planner) launch(g *group.Group, due []job.DueSlot) {
	p.flying++
	for _, d := range due {
		p.planning[d.Job] = struct{}{}
	}
	g.Go(func(ctx context.Context) error {
		f, err := p.plan(ctx, due)
		p.landed <- f
		if isOver(err) {
			return err
		}
		if err != nil {
			p.cfg.Logger.Warn("plan; trying again", "slots", len(due), "err", err)
		}
		return nil
	})
}

// land releases the jobs of a plan, except those that are to be left alone.
func (p *planner) land(f flight) {
	p.flying--
	for _, d := range f.due {
		delete(p.planning, d.Job)
	}
	now := time.Now()
	for _, id := range f.refused {
		p.held.add(id, now.Add(retryPause))
	}
	for _, id := range f.replaying {
		p.held.addReplay(id, now.Add(replayPause))
	}
	for _, u := range f.unreadable {
		p.held.add(u.job, now.Add(unreadablePause))
		if !p.unreadable[u.job] {
			p.unreadable[u.job] = true
			p.cfg.Logger.Error("job cannot be planned; left out until it can", "job", u.job, "err", u.err)
		}
	}
}

// plan decides about due slots and commits the decision.
func (p *planner) plan(ctx context.Context, due []job.DueSlot) (flight, error) {
	now := p.cfg.Now()
	picker := p.roster.picker(time.Now())
	defer picker.release()
	f := flight{due: due}
	d := job.Plan{At: job.Instant(now), HistoryPerJob: p.cfg.HistoryPerJob}
	d.Slots = p.decide(&f, now, picker)
	if len(d.Slots) == 0 {
		return f, nil
	}
	applied, err := p.cfg.Log.Submit(ctx, d)
	if err != nil {
		for _, s := range d.Slots {
			f.refused = append(f.refused, s.Job)
		}
		return f, fmt.Errorf("submit plan: %w", err)
	}
	for i, item := range applied.Items {
		if item.Err != nil {
			f.refused = append(f.refused, d.Slots[i].Job)
		}
	}
	p.cfg.Metrics.planned(&d, applied.Items)
	p.cfg.Logger.Debug("slots planned", "slots", len(d.Slots), "index", applied.Index)
	return f, nil
}

// decide makes the parts of a plan, and notes in f the jobs that have none.
func (p *planner) decide(f *flight, now time.Time, picker *picker) []job.PlannedSlot {
	slots := make([]job.PlannedSlot, 0, len(f.due))
	steps := 0
	for _, due := range f.due {
		if steps >= maxStepsPerEntry {
			break
		}
		version, sp, err := p.planJob(due, now)
		steps += sp.steps
		switch {
		case errors.Is(err, job.ErrStale):
			f.refused = append(f.refused, due.Job)
			continue
		case errors.Is(err, errReplaying):
			f.replaying = append(f.replaying, due.Job)
			continue
		case err != nil:
			f.unreadable = append(f.unreadable, unreadable{job: due.Job, err: err})
			continue
		}
		node, ok := picker.pick()
		if !ok {
			break
		}
		slots = append(slots, job.PlannedSlot{
			Job: due.Job, Version: version, Slot: due.Slot, Next: sp.next, NextDue: sp.nextDue,
			Node: node, Fire: sp.fire, FireDue: sp.fireDue, Trigger: sp.trigger, Missed: sp.missed,
		})
	}
	return slots
}

// planJob decides about one slot, from the returned version of its job:
// [job.ErrStale] if the job is due no more, [errReplaying] if the slot has to wait.
func (p *planner) planJob(due job.DueSlot, now time.Time) (version uint64, sp slotPlan, err error) {
	j, err := p.cfg.Jobs.Job(due.Job)
	if errors.Is(err, job.ErrNotFound) || err == nil && !isStillDue(&j, due.Slot, now) {
		return 0, slotPlan{}, job.ErrStale
	}
	if err != nil {
		return 0, slotPlan{}, fmt.Errorf("read job: %w", err)
	}
	if !j.GivenUp.From.IsZero() {
		sp, err = planGivenUp(&j)
		return j.Version, sp, err
	}
	if sp, err = planSlot(&j, now); err != nil {
		return 0, sp, err
	}
	if isPaced(&j.Spec, sp) && mustWait(j.Overlap, sp.trigger, p.cfg.Jobs.OpenOf(j.ID)) {
		return 0, sp, errReplaying
	}
	return j.Version, sp, nil
}

// isStillDue reports whether the slot is what the job waits for to be planned.
func isStillDue(j *job.Job, slot, now time.Time) bool {
	if !j.GivenUp.From.IsZero() {
		return j.GivenUp.From.Equal(slot)
	}
	return j.NextRunAt.Equal(slot) && !nextDue(j).After(now)
}
