package fsm

import (
	"bytes"
	"io"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"
	"pgregory.net/rapid"

	"github.com/cronraft/cronraft/internal/job"
)

// TestSameLogSameState feeds two stores one log, cut into batches at different
// places. One of them loses power, restarts, snapshots and restores along the
// way. They end byte for byte the same, in memory too.
func TestSameLogSameState(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		steady, files := newNode(t), vfs.NewCrashableMem()
		shaky := &twin{node: newNodeOn(t, files), rt: rt, files: files, leader: steady}
		defer func() { steady.must(steady.Close()); shaky.must(shaky.Close()) }()
		g := &generator{rt: rt, node: steady}
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			shaky.answers = append(shaky.answers, steady.submit(g.decision()))
			steady.wantOrderly(rt)
			shaky.step()
		}
		shaky.catchUp(1 << 30)
		if got, want := shaky.hash(), steady.hash(); got != want {
			rt.Errorf("hash: got %s, want %s\n%s\n%s", got, want, shaky.contents(), steady.contents())
		}
		if got, want := shaky.memory(), steady.memory(); got != want {
			rt.Errorf("memory: got\n%s\nwant\n%s", got, want)
		}
		shaky.restart(shaky.files)
		if got, want := shaky.memory(), steady.memory(); got != want {
			rt.Errorf("memory after a restart: got\n%s\nwant\n%s", got, want)
		}
		steady.wantSound(rt)
	})
}

// twin is a node that follows another through all that can happen to it.
type twin struct {
	*node
	rt     *rapid.T
	files  *vfs.MemFS
	leader *node
	// answers are those that the leader gave.
	answers []*job.Applied
}

func (w *twin) step() {
	switch rapid.IntRange(0, 9).Draw(w.rt, "what happens to the other") {
	case 0, 1, 2, 3:
		w.catchUp(rapid.IntRange(1, 12).Draw(w.rt, "batch"))
	case 4:
		w.snapshot()
	case 5:
		w.losePower()
	case 6:
		w.must(w.Close())
		w.restart(w.files)
	case 7:
		meta, content := w.leader.stream()
		w.receive(meta, content)
		if rapid.Bool().Draw(w.rt, "power is lost before the restore") {
			w.losePower()
			return
		}
		w.must(w.Restore(io.NopCloser(bytes.NewReader(content))))
	}
}

// catchUp applies so many entries, and some again that it has.
func (w *twin) catchUp(most int) {
	next := int(w.Applied())
	from := max(0, next-rapid.IntRange(0, 3).Draw(w.rt, "replayed"))
	to := min(len(w.leader.log), next+most)
	for from < to {
		n := rapid.IntRange(1, to-from).Draw(w.rt, "entries")
		logs := make([]*raft.Log, n)
		copy(logs, w.leader.log[from:])
		applied := w.Applied()
		for i, a := range w.ApplyBatch(logs) {
			got, want := a.(*job.Applied), w.answers[from+i]
			if got.Index > applied && !reflect.DeepEqual(got, want) {
				w.rt.Errorf("answer: got %+v, want %+v", got, want)
			}
		}
		from += n
	}
}

func (w *twin) losePower() {
	seed := rapid.Uint64().Draw(w.rt, "seed")
	crash := w.files.CrashClone(vfs.CrashCloneCfg{
		UnsyncedDataPercent: rapid.SampledFrom([]int{0, 50, 100}).Draw(w.rt, "unsynced data that survives"),
		RNG:                 rand.New(rand.NewPCG(seed, seed)),
	})
	w.must(w.Close())
	w.restart(crash)
}

func (w *twin) restart(files *vfs.MemFS) {
	w.must(w.Close())
	w.files, w.cfg.FS = files, files
	w.reopen()
}

// wantSound checks what must hold of every state.
func (n *node) wantSound(rt *rapid.T) {
	open := map[job.ID]int{}
	for _, x := range n.state.opens.all() {
		record, err := n.Execution(x.Execution)
		if unfinished(x.Phase) {
			open[x.Execution.Job]++
			if err != nil || record.Result.Terminal() {
				rt.Errorf("%v is open, and its record is %+v, %v", x, record, err)
			}
		} else if err == nil && !record.Result.Terminal() {
			rt.Errorf("%v is being aborted, and its record is %+v", x, record)
		}
	}
	jobs, err := n.Jobs("", 0, 100)
	n.must(err)
	for _, j := range jobs {
		list, err := n.Executions(j.ID, job.ExecutionID{}, 1000)
		n.must(err)
		running := 0
		for _, x := range list {
			if !x.Result.Terminal() {
				running++
			}
		}
		if running != open[j.ID] || running != j.Running || n.state.records(n, j.ID) != int64(len(list)) {
			rt.Errorf("%v: %d records unfinished, %d open, %d running; %d records, %d in the state",
				j.ID, running, open[j.ID], j.Running, len(list), n.state.records(n, j.ID))
		}
	}
}

// wantOrderly checks what must hold after each entry: at most one execution of a
// job is buffered, and only behind another.
func (n *node) wantOrderly(rt *rapid.T) {
	buffered := map[job.ID]int{}
	for _, x := range n.state.opens.all() {
		id := x.Execution.Job
		if x.Phase != job.PhaseBuffered {
			continue
		}
		buffered[id]++
		if buffered[id] > 1 || len(n.OpenOf(id)) == 1 {
			rt.Errorf("after entry %d, %v is buffered; open: %+v", n.Applied(), x.Execution, n.OpenOf(id))
		}
	}
}

// generator draws decisions: most fit the state of its node, some do not.
type generator struct {
	rt   *rapid.T
	node *node
	now  int // seconds
}

func (g *generator) decision() job.Decision {
	g.now += rapid.SampledFrom([]int{0, 0, 0, 0, 1, 1, 1, 2, 2, 25 * 60 * 60}).Draw(g.rt, "time passes")
	switch rapid.IntRange(0, 17).Draw(g.rt, "decision") {
	case 0, 1:
		return g.putJobs()
	case 2:
		return job.DeleteJob{At: at(g.now), ID: g.id(), Version: uint64(rapid.IntRange(0, 2).Draw(g.rt, "version"))}
	case 3, 4, 5:
		return g.plan()
	case 6:
		return job.Run{
			At: at(g.now), HistoryPerJob: g.keep(), Overlap: g.overlap(""), Once: g.once(),
			Execution: job.ManualExecution(g.id(), at(g.now), uint16(rapid.IntRange(1, 3).Draw(g.rt, "salt"))),
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
			if rapid.Bool().Draw(g.rt, "final") {
				d.Final = append(d.Final, ref(x.Execution, x.Attempt))
			} else {
				d.Attempts = append(d.Attempts, ref(x.Execution, x.Attempt))
			}
		}
		return d
	case 11, 12:
		return g.cancel()
	case 13:
		return job.PruneAnswers{Before: at(g.now - rapid.IntRange(0, 4).Draw(g.rt, "age")), Limit: rapid.IntRange(1, 2).Draw(g.rt, "page")}
	case 14:
		return job.RaiseVersion{Version: rapid.IntRange(1, 2).Draw(g.rt, "version")}
	case 15:
		return job.DismissNode{At: at(g.now), Node: rapid.SampledFrom([]job.NodeRef{n1, n2, {ID: "n2", Incarnation: 9}}).Draw(g.rt, "node")}
	default:
		return job.Prune{Before: at(g.now - rapid.IntRange(0, 4).Draw(g.rt, "age")), After: g.id() - 1, Jobs: rapid.IntRange(1, 3).Draw(g.rt, "page")}
	}
}

func (g *generator) id() job.ID { return job.ID(rapid.IntRange(1, 4).Draw(g.rt, "job")) }

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
	open := g.open(job.PhasePending, job.PhaseRunning, job.PhaseWaiting, job.PhaseAborting, job.PhaseBuffered)
	if len(open) > 0 {
		d.Execution = rapid.SampledFrom(open).Draw(g.rt, "execution").Execution
	}
	return d
}

func (g *generator) putJobs() job.Decision {
	d := job.PutJobs{At: at(g.now), Once: g.once()}
	for range rapid.IntRange(1, 3).Draw(g.rt, "jobs") {
		j := job.Job{ID: g.id(), Spec: spec(g.overlap()), NextRunAt: at(g.now + rapid.IntRange(0, 2).Draw(g.rt, "due in"))}
		j.State = rapid.SampledFrom([]job.State{job.Active, job.Active, job.Paused}).Draw(g.rt, "state")
		j.Misfire = rapid.SampledFrom([]job.MisfirePolicy{job.MisfireFireOnce, job.MisfireFireAll, job.MisfireSkip}).Draw(g.rt, "misfire")
		j.Guarantee = rapid.SampledFrom([]job.Guarantee{job.AtLeastOnce, job.AtMostOnce}).Draw(g.rt, "guarantee")
		p := job.PutJob{KeepNextRun: rapid.Bool().Draw(g.rt, "keep next run")}
		if old, err := g.node.Job(j.ID); err == nil {
			j.Version = old.Version
			g.giveUp(&p, old)
		}
		p.Job = j
		d.Jobs = append(d.Jobs, p)
	}
	return d
}

// giveUp draws whether an edit gives up slots that are due.
func (g *generator) giveUp(p *job.PutJob, old job.Job) {
	if due := old.NextRunAt; !due.IsZero() && !due.After(at(g.now)) && rapid.Bool().Draw(g.rt, "give up") {
		p.Due, p.Missed = due, job.Gap{From: due, To: due.Add(time.Second), Count: 2}
	}
}

func (g *generator) plan() job.Decision {
	d := job.Plan{At: at(g.now), HistoryPerJob: g.keep()}
	for _, slot := range g.node.Due(at(g.now), rapid.IntRange(1, 4).Draw(g.rt, "slots"), nil) {
		p := job.PlannedSlot{Job: slot.Job, Slot: slot.Slot, Fire: slot.Slot, Node: n1, Trigger: job.TriggerScheduled}
		p.Next = p.Slot.Add(time.Duration(rapid.IntRange(1, 3).Draw(g.rt, "next in")) * time.Second)
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
