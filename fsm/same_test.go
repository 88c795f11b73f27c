package fsm

import (
	"bytes"
	"io"
	"maps"
	"math/rand/v2"
	"reflect"
	"testing"

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
		if rapid.IntRange(0, 3).Draw(rt, "version at first") > 0 {
			shaky.answers = append(shaky.answers, steady.submit(job.RaiseVersion{Version: 3}))
		}
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
		shaky.wantEvents()
		shaky.restart(shaky.files)
		if got, want := shaky.memory(), steady.memory(); got != want {
			rt.Errorf("memory after a restart: got\n%s\nwant\n%s", got, want)
		}
		steady.wantSound(rt)
		shaky.wantEvents()
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

// wantEvents checks that the node has the events that the other one has, from some
// time on.
func (w *twin) wantEvents() {
	got, _, complete := w.Events(w.events.since)
	want, _, known := w.leader.Events(w.events.since)
	if !complete || !known || !reflect.DeepEqual(got, want) || w.LastEvent() != w.events.last() {
		w.rt.Errorf("events: got %+v, %v, want %+v, %v", got, complete, want, known)
	}
	for i := range want {
		if i > 0 && compareEvents(want[i-1].ID, want[i].ID) >= 0 {
			w.rt.Errorf("event %+v is after %+v", want[i].ID, want[i-1].ID)
		}
	}
}

// allJobs is every job, and every webhook.
func (n *node) allJobs() []job.Job {
	n.Helper()
	var list []job.Job
	n.must(n.view(func(st *state) error {
		return st.scan(statePrefix, anyLength, func(key, _ []byte) error {
			j, err := st.job(jobOf(key))
			list = append(list, j)
			return err
		})
	}))
	return list
}

// keysOf is every key with a prefix.
func (n *node) keysOf(prefix string) map[string]bool {
	n.Helper()
	keys := map[string]bool{}
	n.must(n.state.scan(prefix, anyLength, func(key, _ []byte) error { keys[string(key)] = true; return nil }))
	return keys
}

// wantListed checks the keys by which jobs are found.
func (n *node) wantListed(rt *rapid.T) {
	names, external := map[string]bool{}, map[string]bool{}
	signers := n.keysOf(signerPrefix)
	for _, j := range n.allJobs() {
		names[string(listKey(j.Namespace, j.ID, j.Hook != nil))] = true
		if j.ExternalID != "" {
			external[string(externalKey(j.Namespace, j.ExternalID))] = true
			found, err := n.JobByExternalID(j.Namespace, j.ExternalID)
			if err != nil || found.ID != j.ID {
				rt.Errorf("%v has the external ID %q, and %v, %v is found by it", j.ID, j.ExternalID, found.ID, err)
			}
		}
		if j.SignPayloads || j.Hook != nil {
			delete(signers, string(signerKey(j.KeyID, j.ID)))
		}
		if j.MaxRuns > 0 && j.State == job.Active && j.Runs >= j.MaxRuns {
			rt.Errorf("%v is %s after %d of %d runs", j.ID, j.State, j.Runs, j.MaxRuns)
		}
	}
	lists := n.keysOf(namespacePrefix)
	maps.Copy(lists, n.keysOf(hookPrefix))
	if !maps.Equal(lists, names) || !maps.Equal(n.keysOf(externalPrefix), external) || len(signers) > 0 {
		rt.Errorf("lists: got %v, want %v; external IDs: got %v, want %v; nothing is signed for %v",
			lists, names, n.keysOf(externalPrefix), external, signers)
	}
}

// wantSound checks what must hold of every state.
func (n *node) wantSound(rt *rapid.T) {
	n.wantListed(rt)
	open := map[job.ID]int{}
	for _, x := range n.state.opens.all() {
		record, err := n.Execution(x.Execution)
		if unfinished(x.Phase) {
			open[x.Execution.Job]++
			if n.state.unended.namespaces[x.Execution] == "" && record.Event == nil {
				rt.Errorf("%v is open, and not in the list of those", x)
			}
			if err != nil || record.Result.Terminal() {
				rt.Errorf("%v is open, and its record is %+v, %v", x, record, err)
			}
		} else if err == nil && !record.Result.Terminal() {
			rt.Errorf("%v is being aborted, and its record is %+v", x, record)
		}
	}
	for _, j := range n.allJobs() {
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
// job is buffered, and only behind another; and what is queued has to wait, if only
// for the job to be resumed.
func (n *node) wantOrderly(rt *rapid.T) {
	buffered := map[job.ID]int{}
	for _, x := range n.state.opens.all() {
		id := x.Execution.Job
		if next, ok := n.state.opens.next(id); ok && n.job(id).State != job.Paused {
			rt.Errorf("after entry %d, %v waits for nothing; open: %+v", n.Applied(), next, n.OpenOf(id))
		}
		if x.Phase != job.PhaseBuffered {
			continue
		}
		buffered[id]++
		if buffered[id] > 1 || n.state.opens.inTurn(id) == 1 {
			rt.Errorf("after entry %d, %v is buffered; open: %+v", n.Applied(), x.Execution, n.OpenOf(id))
		}
	}
}
