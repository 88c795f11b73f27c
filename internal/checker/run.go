package checker

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// run is a history, put in order for the questions about it.
type run struct {
	history *History
	limits  Limits
	shadows *shadows
	almanac *almanac
	report  *Report

	jobs []*job // by name
	// byID has the jobs whose ID is known.
	byID map[string]*job
	// executions has everything with an execution's ID, by it.
	executions map[string]*execution
	// orphans are the executions of which nobody can say which job's they are.
	orphans []*execution
	// requested are the executions that runs were answered with.
	requested map[string]*Op
}

// job is all that is known of one job.
type job struct {
	name, id string
	ops      []*Op // in the order of their begin
	final    *Final
	// copies is how many jobs of the name there are at the end.
	copies   int
	timeline timeline
	// executions are those that have a record or a request, gaps left out, in the
	// order of their slots.
	executions []*execution
	gaps       []*Record // by their begin
	// cut is before which records may be gone because there are newer ones.
	cut time.Time
}

// execution is what there is of one execution.
type execution struct {
	id         string
	job        *job        // nil for an orphan
	record     *Record     // nil if there is none
	deliveries []*Delivery // in the order of their arrival
}

// slot is what the execution is for.
func (x *execution) slot() time.Time {
	if x.record != nil {
		return x.record.ScheduledAt
	}
	return x.deliveries[0].ScheduledAt
}

func (x *execution) trigger() string {
	if x.record != nil {
		return x.record.Trigger
	}
	return x.deliveries[0].Trigger
}

func (x *execution) result() string {
	if x.record == nil {
		return ""
	}
	return x.record.Result
}

// isOfSlot reports whether a slot of the schedule made the execution, and no
// person.
func (x *execution) isOfSlot() bool {
	trigger := x.trigger()
	return trigger == triggerScheduled || trigger == triggerCatchup
}

// firstRequest is when the first request is known to have begun; zero if there
// was none. The target knows best, unless it may have missed the first attempt.
func (x *execution) firstRequest() time.Time {
	started := time.Time{}
	if x.record != nil {
		started = x.record.StartedAt
	}
	switch {
	case len(x.deliveries) == 0:
		return started
	case x.deliveries[0].Attempt == 1 || started.IsZero():
		return x.deliveries[0].Arrived
	default:
		return earlier(started, x.deliveries[0].Arrived)
	}
}

// over is when the last thing is known to have happened to an execution that has
// ended; false if it has not.
func (x *execution) over() (time.Time, bool) {
	if x.record == nil || !isTerminal(x.record.Result) {
		return time.Time{}, false
	}
	end := later(x.record.FinishedAt, x.record.ScheduledAt)
	for _, d := range x.deliveries {
		end = later(end, later(d.Arrived, d.Ended))
	}
	return end, true
}

// lastSeen is when an execution still mattered, at the latest.
func (r *run) lastSeen(x *execution) time.Time {
	if end, ok := x.over(); ok {
		return end
	}
	return r.history.Ended
}

// newRun puts a history in order.
func newRun(h *History, l Limits) *run {
	r := &run{
		history: h, limits: l, shadows: newShadows(h, l),
		report: &Report{Name: h.Name, Seed: h.Seed, Counts: map[Kind]int{}},
		byID:   map[string]*job{}, executions: map[string]*execution{}, requested: map[string]*Op{},
	}
	if r.history.Settled.IsZero() {
		r.history.Settled = r.history.Ended
	}
	for i := range h.Ops {
		if op := &h.Ops[i]; op.Kind == OpRun && op.Outcome == OK {
			r.requested[op.Execution] = op
		}
	}
	r.almanac = r.newAlmanac()
	r.joinJobs()
	r.joinExecutions()
	for _, j := range r.jobs {
		r.cutOff(j)
		r.foldWrites(j)
	}
	return r
}

// newAlmanac covers everything that a node may have taken for now.
func (r *run) newAlmanac() *almanac {
	skew := time.Duration(0)
	for _, c := range r.shadows.clocks {
		skew = max(skew, c.skew)
	}
	margin := skew + time.Hour
	return &almanac{from: r.history.Began.Add(-margin), to: r.history.Ended.Add(margin), sets: map[schedule]*slotSet{}}
}

// joinJobs makes one job of each name.
func (r *run) joinJobs() {
	byName := map[string]*job{}
	get := func(name string) *job {
		if byName[name] == nil {
			byName[name] = &job{name: name}
			r.jobs = append(r.jobs, byName[name])
		}
		return byName[name]
	}
	for i := range r.history.Ops {
		op := &r.history.Ops[i]
		j := get(op.Job)
		j.ops = append(j.ops, op)
		j.id = cmp.Or(j.id, op.JobID)
	}
	for i := range r.history.Jobs {
		f := &r.history.Jobs[i]
		j := get(f.Name)
		j.final, j.id = f, f.ID
		j.copies++
		r.byID[f.ID] = j
	}
	slices.SortFunc(r.jobs, func(a, b *job) int { return strings.Compare(a.name, b.name) })
	for _, j := range r.jobs {
		slices.SortStableFunc(j.ops, func(a, b *Op) int { return a.Invoked.Compare(b.Invoked) })
		if j.id != "" && r.byID[j.id] == nil {
			r.byID[j.id] = j
		}
	}
	r.nameJobs(byName)
}

// nameJobs learns from requests the IDs of jobs that nothing else tells.
func (r *run) nameJobs(byName map[string]*job) {
	for i := range r.history.Deliveries {
		d := &r.history.Deliveries[i]
		if j := byName[d.Job]; j != nil && j.id == "" && r.byID[d.JobID] == nil {
			j.id = d.JobID
			r.byID[d.JobID] = j
		}
	}
}

// joinExecutions brings records and requests together.
func (r *run) joinExecutions() {
	for i := range r.history.Records {
		record := &r.history.Records[i]
		j := r.byID[record.JobID]
		if record.Result == resultMissed {
			if j != nil {
				j.gaps = append(j.gaps, record)
			}
			continue
		}
		x := r.execution(record.ID, j)
		if x.record != nil {
			r.violate(DoubledSlot, j, x, time.Time{}, "two records have this ID")
		}
		x.record = record
	}
	for i := range r.history.Deliveries {
		d := &r.history.Deliveries[i]
		x := r.execution(d.Execution, r.byID[d.JobID])
		x.deliveries = append(x.deliveries, d)
	}
	for _, x := range r.executions {
		slices.SortFunc(x.deliveries, func(a, b *Delivery) int {
			return cmp.Or(a.Arrived.Compare(b.Arrived), cmp.Compare(a.Attempt, b.Attempt))
		})
		if x.job != nil {
			x.job.executions = append(x.job.executions, x)
		} else {
			r.orphans = append(r.orphans, x)
		}
	}
	byID := func(a, b *execution) int { return strings.Compare(a.id, b.id) }
	slices.SortFunc(r.orphans, byID)
	for _, j := range r.jobs {
		slices.SortFunc(j.executions, func(a, b *execution) int { return cmp.Or(a.slot().Compare(b.slot()), byID(a, b)) })
		slices.SortFunc(j.gaps, func(a, b *Record) int { return cmp.Or(a.MissedFrom.Compare(b.MissedFrom), strings.Compare(a.ID, b.ID)) })
	}
}

// execution is the one of an ID. The record tells its job, if there is one.
func (r *run) execution(id string, j *job) *execution {
	if r.executions[id] == nil {
		r.executions[id] = &execution{id: id, job: j}
	}
	return r.executions[id]
}

// cutOff finds out which records retention may have removed.
func (r *run) cutOff(j *job) {
	if r.limits.HistoryAge > 0 {
		j.cut = r.history.Ended.Add(-r.limits.HistoryAge)
	}
	var slots []time.Time
	for _, x := range j.executions {
		if x.record != nil {
			slots = append(slots, x.slot())
		}
	}
	for _, g := range j.gaps {
		slots = append(slots, g.MissedFrom)
	}
	if r.limits.HistoryPerJob == 0 || len(slots) < r.limits.HistoryPerJob {
		return
	}
	// What is open is kept, and newer records go in its place.
	keep := r.limits.HistoryPerJob - r.mostOpen(j)
	if keep < 1 {
		j.cut = farFuture
		return
	}
	slices.SortFunc(slots, time.Time.Compare)
	j.cut = j.firstKept(later(j.cut, slots[len(slots)-keep]))
}

// mostOpen is how many executions of a job may have been open at once.
func (r *run) mostOpen(j *job) int {
	var ends []time.Time // of those that are open, by their slots
	most := 0
	for _, x := range j.executions {
		ends = slices.DeleteFunc(ends, func(end time.Time) bool { return end.Before(x.slot()) })
		end := r.history.Ended
		if n := len(x.deliveries); x.record != nil {
			end = r.lastSeen(x)
		} else if last := x.deliveries[n-1]; !last.Ended.IsZero() {
			end = last.Ended
		}
		ends = append(ends, end)
		most = max(most, len(ends))
	}
	return most
}

// firstKept is the first slot that has a record, from an instant on. A gap that
// is gone may reach beyond executions that people asked for, so what is kept for
// certain begins with a slot.
func (j *job) firstKept(from time.Time) time.Time {
	first := farFuture
	for _, x := range j.executions {
		if x.record != nil && x.isOfSlot() && !x.slot().Before(from) {
			first = earlier(first, x.slot())
		}
	}
	for _, g := range j.gaps {
		if !g.MissedFrom.Before(from) {
			first = earlier(first, g.MissedFrom)
		}
	}
	return first
}

// isCut reports whether the record of a slot may be gone.
func (j *job) isCut(slot time.Time) bool { return slot.Before(j.cut) }

// foldWrites finds the states that a job may have been in.
func (r *run) foldWrites(j *job) {
	creates := 0
	for _, op := range j.ops {
		if op.Kind == OpCreate && op.Outcome != Refused {
			creates++
		}
	}
	if j.copies > creates {
		r.violate(PhantomJob, j, nil, time.Time{}, "%d jobs of the name exist at the end, and %d were asked for", j.copies, creates)
	}
	if j.copies > 1 || creates == 0 {
		j.timeline.isVague = true
		return
	}
	moments, conflict := newCourse(j.ops, j.final, r.shadows).think()
	if conflict != nil {
		r.violate(conflict.kind, j, nil, time.Time{}, "%s", conflict.text)
	}
	if moments == nil {
		r.report.Stats.Undecided++
		j.timeline.isVague = true
		return
	}
	j.timeline = newTimeline(moments)
	r.checkSchedules(j)
}

// checkSchedules wants every schedule that the job may have had to be one.
func (r *run) checkSchedules(j *job) {
	seen := map[schedule]bool{}
	for _, p := range j.timeline.pieces {
		for _, s := range p.states {
			if !s.exists || seen[s.schedule] {
				continue
			}
			seen[s.schedule] = true
			if _, err := r.almanac.slots(s.schedule); err != nil {
				r.violate(BadSchedule, j, nil, time.Time{}, "%v", err)
				j.timeline = timeline{isVague: true}
				return
			}
		}
	}
}

// isSlot reports whether t is a slot of a state's schedule, in force or not.
func (r *run) isSlot(s *state, t time.Time) bool {
	if !s.exists {
		return false
	}
	set, err := r.almanac.slots(s.schedule)
	return err == nil && set.has(t)
}

// nextSlot is the slot after one, of the schedule that was surely in force all
// the time from one to the other.
func (r *run) nextSlot(j *job, slot time.Time) (time.Time, bool) {
	s, ok := j.timeline.duty(slot, slot)
	if !ok {
		return time.Time{}, false
	}
	set, err := r.almanac.slots(s)
	if err != nil {
		return time.Time{}, false
	}
	next, ok := set.next(slot)
	if !ok {
		return time.Time{}, false
	}
	_, ok = j.timeline.duty(slot, next)
	return next, ok
}
