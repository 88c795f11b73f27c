package fsm

import (
	"time"

	"pgregory.net/rapid"

	"github.com/cronraft/cronraft/internal/job"
)

// generator draws decisions: most fit the state of its node, some do not.
type generator struct {
	rt   *rapid.T
	node *node
	now  int // seconds
}

func (g *generator) decision() job.Decision {
	g.now += rapid.SampledFrom([]int{0, 0, 0, 0, 1, 1, 1, 2, 2, 25 * 60 * 60}).Draw(g.rt, "time passes")
	switch rapid.IntRange(0, 23).Draw(g.rt, "decision") {
	case 18, 19:
		return g.backfill()
	case 20:
		return g.putKey()
	case 21:
		return job.DeleteKey{At: at(g.now), ID: g.keyID(), Force: rapid.Bool().Draw(g.rt, "force")}
	case 22:
		return job.Announce{At: at(g.now), Type: rapid.SampledFrom([]job.EventType{job.EventNodeLost, job.EventLeaderChanged}).Draw(g.rt, "event"), NodeID: "n2"}
	case 23:
		id := rapid.SampledFrom([]job.ID{1, 5, 6}).Draw(g.rt, "hook")
		return job.TryHook{At: at(g.now), HistoryPerJob: g.keep(), Hook: id, Execution: g.manual(id), Once: g.once()}
	case 0, 1:
		return g.putJobs()
	case 2:
		return job.DeleteJob{At: at(g.now), ID: g.id(), Version: uint64(rapid.IntRange(0, 2).Draw(g.rt, "version"))}
	case 3, 4, 5:
		return g.plan()
	case 6:
		return job.Run{
			At: at(g.now), HistoryPerJob: g.keep(), Overlap: g.overlap(""), Once: g.once(),
			Execution: g.manual(g.id()),
		}
	case 7:
		d := job.Begin{At: at(g.now)}
		for _, x := range g.open(job.PhasePending) {
			d.Attempts = append(d.Attempts, job.BeginAttempt{AttemptRef: ref(x.Execution, x.Attempt+1), Node: n2})
		}
		return d
	case 8, 9:
		return g.record()
	case 10:
		d := job.MarkLost{At: at(g.now)}
		for _, x := range g.open(job.PhaseRunning, job.PhaseAborting) {
			list := rapid.SampledFrom([]*[]job.AttemptRef{&d.Attempts, &d.Unbegun, &d.Final}).Draw(g.rt, "kind of loss")
			*list = append(*list, ref(x.Execution, x.Attempt))
		}
		return d
	case 11, 12:
		return g.cancel()
	case 13:
		return job.PruneAnswers{Before: at(g.now - rapid.IntRange(0, 4).Draw(g.rt, "age")), Limit: rapid.IntRange(1, 2).Draw(g.rt, "page")}
	case 14:
		return job.RaiseVersion{Version: rapid.IntRange(1, 3).Draw(g.rt, "version")}
	case 15:
		return job.DismissNode{At: at(g.now), Node: rapid.SampledFrom([]job.NodeRef{n1, n2, {ID: "n2", Incarnation: 9}}).Draw(g.rt, "node")}
	default:
		return job.Prune{Before: at(g.now - rapid.IntRange(0, 4).Draw(g.rt, "age")), After: g.id() - 1, Jobs: rapid.IntRange(1, 3).Draw(g.rt, "page")}
	}
}

// id draws a job: 5 and 6 are the webhooks.
func (g *generator) id() job.ID { return job.ID(rapid.IntRange(1, 6).Draw(g.rt, "job")) }

func (g *generator) manual(id job.ID) job.ExecutionID {
	return job.ManualExecution(id, at(g.now), uint16(rapid.IntRange(1, 3).Draw(g.rt, "salt")))
}

func (g *generator) keyID() string { return rapid.SampledFrom([]string{"k1", "k2"}).Draw(g.rt, "key") }

func (g *generator) putKey() job.Decision {
	d := job.PutKey{At: at(g.now), Create: rapid.Bool().Draw(g.rt, "create"), Once: g.once(), Key: job.APIKey{
		ID: g.keyID(), RotatedAt: at(g.now), Secret: job.Secret{Hash: [32]byte{byte(rapid.IntRange(1, 9).Draw(g.rt, "secret"))}},
	}}
	if old, err := g.node.Key(d.Key.ID); err == nil {
		d.RotatedAt, d.Key.Previous, d.Key.PreviousUntil = old.RotatedAt, old.Secret, at(g.now+9)
	}
	return d
}

func (g *generator) backfill() job.Decision {
	d := job.Backfill{At: at(g.now), HistoryPerJob: g.keep(), Job: g.id(), Overlap: g.overlap("", job.OverlapAllow), Once: g.once()}
	first := uint16(rapid.IntRange(1, 40).Draw(g.rt, "salt"))
	for i := range rapid.IntRange(1, 13).Draw(g.rt, "slots") {
		d.Slots = append(d.Slots, job.BackfillSlot{Slot: at(i - 60), Execution: job.ManualExecution(d.Job, d.At, first+uint16(i))})
	}
	return d
}

func (g *generator) keep() int { return rapid.IntRange(0, 3).Draw(g.rt, "records kept") }

func (g *generator) overlap(more ...job.OverlapPolicy) job.OverlapPolicy {
	return rapid.SampledFrom(append(more, job.OverlapSkip, job.OverlapAllow, job.OverlapCancelPrevious, job.OverlapBufferOne, job.OverlapBufferOne)).Draw(g.rt, "overlap")
}

// once draws one of few keys, most with the request that belongs to it.
func (g *generator) once() *job.Once {
	if !rapid.Bool().Draw(g.rt, "repeatable") {
		return nil
	}
	o := once(byte(rapid.IntRange(1, 4).Draw(g.rt, "key")), rapid.SampledFrom([]string{"one", "another"}).Draw(g.rt, "answer"))
	if rapid.IntRange(0, 4).Draw(g.rt, "request") == 0 {
		o.Request[0]++
	}
	return o
}

// cancel draws an execution that is open, or one that is not.
func (g *generator) cancel() job.Decision {
	d := job.Cancel{At: at(g.now), Execution: job.SlotExecution(g.id(), at(g.now)), Once: g.once()}
	open := g.open(job.PhasePending, job.PhaseRunning, job.PhaseWaiting, job.PhaseAborting, job.PhaseBuffered, job.PhaseQueued)
	if len(open) > 0 {
		d.Execution = rapid.SampledFrom(open).Draw(g.rt, "execution").Execution
	}
	return d
}

func (g *generator) putJobs() job.Decision {
	d := job.PutJobs{At: at(g.now), Once: g.once(), Whole: rapid.IntRange(0, 3).Draw(g.rt, "whole") == 0}
	for range rapid.IntRange(1, 3).Draw(g.rt, "jobs") {
		j := job.Job{ID: g.id(), Spec: spec(g.overlap()), NextRunAt: at(g.now + rapid.IntRange(0, 2).Draw(g.rt, "due in"))}
		j.State = rapid.SampledFrom([]job.State{job.Active, job.Active, job.Paused}).Draw(g.rt, "state")
		j.Misfire = rapid.SampledFrom([]job.MisfirePolicy{job.MisfireFireOnce, job.MisfireFireAll, job.MisfireSkip}).Draw(g.rt, "misfire")
		j.Guarantee = rapid.SampledFrom([]job.Guarantee{job.AtLeastOnce, job.AtMostOnce}).Draw(g.rt, "guarantee")
		g.third(&j)
		p := job.PutJob{KeepNextRun: rapid.Bool().Draw(g.rt, "keep next run"), Delete: rapid.IntRange(0, 7).Draw(g.rt, "delete") == 0}
		if old, err := g.node.Job(j.ID); err == nil {
			j.Version = old.Version
			g.giveUp(&p, old)
		}
		p.Job = j
		d.Jobs = append(d.Jobs, p)
	}
	return d
}

// third draws what came with version 3, or nothing of it.
func (g *generator) third(j *job.Job) {
	if j.ID > 4 {
		j.Hook = &job.Hook{Cluster: j.ID == 6, Events: []job.EventType{job.EventExecutionFailed, job.EventExecutionMissed, job.EventNodeLost}}
		if rapid.Bool().Draw(g.rt, "with a tag") {
			j.Hook.Tag = &job.Tag{Key: "team", Value: "a"}
		}
	} else if rapid.Bool().Draw(g.rt, "nothing new") {
		return
	}
	j.KeyID, j.SignPayloads = g.keyID(), rapid.Bool().Draw(g.rt, "sign")
	j.ExternalID = rapid.SampledFrom([]string{"", "x", "y"}).Draw(g.rt, "external ID")
	j.MaxRuns = rapid.IntRange(0, 2).Draw(g.rt, "max runs")
	if j.Hook == nil { // a webhook has none of it
		j.PauseAfterFailures = rapid.IntRange(0, 2).Draw(g.rt, "pause after")
	}
	j.NextDueAt = j.NextRunAt.Add(time.Duration(rapid.IntRange(0, 2).Draw(g.rt, "shift")) * time.Second)
	if rapid.Bool().Draw(g.rt, "tagged") {
		j.Tags = []job.Tag{{Key: "team", Value: "a"}}
	}
}

// giveUp draws whether an edit gives up slots that are due.
func (g *generator) giveUp(p *job.PutJob, old job.Job) {
	due := old.NextRunAt
	if !old.GivenUp.From.IsZero() {
		due = old.GivenUp.From
	}
	if !due.IsZero() && !due.After(at(g.now)) && rapid.Bool().Draw(g.rt, "give up") {
		p.Due, p.Missed = due, job.Gap{From: due, To: due.Add(time.Second), Count: 2}
	}
}

func (g *generator) plan() job.Decision {
	d := job.Plan{At: at(g.now), HistoryPerJob: g.keep()}
	for _, slot := range g.node.Due(at(g.now), rapid.IntRange(1, 4).Draw(g.rt, "slots"), nil) {
		p := job.PlannedSlot{Job: slot.Job, Slot: slot.Slot, Fire: slot.Slot, Node: n1, Trigger: job.TriggerScheduled}
		if !g.node.job(p.Job).GivenUp.From.IsZero() {
			d.Slots = append(d.Slots, g.givenUp(p))
			continue
		}
		p.Next = p.Slot.Add(time.Duration(rapid.IntRange(1, 3).Draw(g.rt, "next in")) * time.Second)
		if rapid.Bool().Draw(g.rt, "later than its slot") {
			p.NextDue, p.FireDue = p.Next.Add(time.Second), p.Fire.Add(time.Second)
		}
		switch rapid.IntRange(0, 6).Draw(g.rt, "slot") {
		case 0:
			p.Next = time.Time{}
		case 1:
			p.Missed = job.Gap{From: p.Slot, To: p.Slot, Count: 1}
			p.Fire, p.Trigger = p.Slot.Add(time.Second), job.TriggerCatchup
			p.Next = p.Fire.Add(time.Second)
		case 2:
			p.Missed, p.Fire = job.Gap{From: p.Slot, To: p.Slot, Count: 1}, time.Time{}
		}
		d.Slots = append(d.Slots, p)
	}
	return d
}

// givenUp draws what the leader makes of slots that a job gave up, or nonsense.
func (g *generator) givenUp(p job.PlannedSlot) job.PlannedSlot {
	switch rapid.IntRange(0, 4).Draw(g.rt, "given up") {
	case 0:
		p.Next = p.Slot.Add(time.Second)
		return p
	case 1:
		p.Next = p.Slot.Add(time.Second)
	}
	p.Fire, p.Trigger, p.Missed = time.Time{}, job.TriggerCatchup, job.Gap{From: p.Slot, To: p.Slot, Count: 1}
	return p
}

func (g *generator) record() job.Decision {
	d := job.Record{At: at(g.now)}
	for _, x := range g.open(job.PhaseRunning, job.PhaseAborting) {
		o := outcome(ref(x.Execution, x.Attempt), nil)
		if rapid.Bool().Draw(g.rt, "failure") {
			o = outcome(ref(x.Execution, x.Attempt), errStatus)
			if rapid.Bool().Draw(g.rt, "retry") {
				o.RetryAt = at(g.now + 1)
			}
		}
		d.Outcomes = append(d.Outcomes, o)
	}
	return d
}

// open draws some of the open executions in the phases.
func (g *generator) open(phases ...job.Phase) []job.Open {
	var list []job.Open
	for _, x := range g.node.state.opens.all() {
		for _, p := range phases {
			if x.Phase == p && rapid.Bool().Draw(g.rt, "this one") {
				list = append(list, x)
			}
		}
	}
	return list
}
