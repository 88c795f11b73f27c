package fsm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"

	"github.com/cronraft/cronraft/fsm/logpb"
	"github.com/cronraft/cronraft/internal/crashpoint"
	"github.com/cronraft/cronraft/internal/job"
)

// busy is a node with something of everything.
func busy(t testing.TB, files vfs.FS) *node {
	t.Helper()
	n := newNodeOn(t, files)
	n.do(job.Init{ClusterID: "c1", RootKey: job.APIKey{ID: "root", Secret: job.Secret{Hash: [32]byte{1}}}})
	n.do(put(jobA, at(1), spec(job.OverlapCancelPrevious)))
	n.do(put(jobB, at(1), spec(job.OverlapSkip)))
	n.do(plan(1))
	n.do(plan(2))
	n.do(runNow(2, 3, job.OverlapAllow))
	n.do(job.RaiseVersion{Version: 2})
	n.do(job.DismissNode{At: at(2), Node: n2})
	for _, seconds := range []int{2, 3} { // the second is buffered
		d := job.Run{At: at(seconds), Execution: job.ManualExecution(jobB, at(seconds), 1), Overlap: job.OverlapBufferOne}
		d.Once = once(byte(seconds), "run")
		n.do(d)
	}
	return n
}

// memory is what a store keeps in memory, to be compared.
func (n *node) memory() string {
	st := n.state
	var b strings.Builder
	for _, d := range st.agenda.tree.Items() {
		b.WriteString(d.job.String() + " " + instant(d.at).String() + instant(d.slot).String() + "\n")
	}
	for _, x := range st.opens.all() {
		b.WriteString(x.Execution.String() + " " + x.RetryAt.String() + x.Node.ID + string(rune('0'+x.Phase)) + "\n")
	}
	for id := range job.ID(16) { // jobs A and B, and those of the generator
		for _, x := range append(st.opens.ofJob(id), st.opens.inQueue(id)...) {
			b.WriteString(x.Execution.String() + "\n")
		}
	}
	return b.String() + fmt.Sprint(st.clusterID, st.version, st.dismissed, st.jobCount(), st.applied, st.keep,
		st.hooks.wanted, len(st.hooks.byID), st.hooks.homes, st.hooks.counts, st.opens.tallies, st.keys.ids, st.unended.tree.Items())
}

func TestOpen_AfterClose(t *testing.T) {
	t.Parallel()
	n := busy(t, vfs.NewMem())
	hash, memory := n.hash(), n.memory()
	n.must(n.Close())
	n.reopen()
	equal(t, "hash", n.hash(), hash)
	equal(t, "memory", n.memory(), memory)
	equal(t, "applied", n.Applied(), uint64(len(n.log)))
}

func TestOpen_OnDisk(t *testing.T) {
	t.Parallel()
	n := &node{TB: t, cfg: Config{Dir: t.TempDir() + "/a/b"}}
	n.reopen()
	n.do(put(jobA, at(1), spec(job.OverlapSkip)))
	hash := n.hash()
	n.must(n.Close())
	n.reopen()
	equal(t, "hash", n.hash(), hash)
	other := newNode(t)
	other.restoreFrom(n)
	equal(t, "restored", other.hash(), hash)
	n.must(n.Close())
}

func TestOpen_Refuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		damage func(n *node, files vfs.FS) error
		want   string
	}{
		"no CURRENT": {func(n *node, files vfs.FS) error { return files.Remove("data/store/CURRENT") }, "no CURRENT"},
		"damaged CURRENT": {func(n *node, files vfs.FS) error {
			return writeFile(files, "data/store", "CURRENT", []byte("db-1/../x\n"))
		}, "names no database"},
		"damaged snapshot": {func(n *node, files vfs.FS) error {
			n.must(makeDir(files, "data/store/snapshots/1-2-3"))
			return writeFile(files, "data/store/snapshots/1-2-3", metaName, []byte("{}"))
		}, "damaged"},
		"newer snapshot": {func(n *node, files vfs.FS) error {
			n.must(makeDir(files, "data/store/snapshots/1-2-3"))
			return writeFile(files, "data/store/snapshots/1-2-3", metaName, []byte(`{"Format":2}`))
		}, "upgrade this node"},
		"database gone": {func(n *node, files vfs.FS) error {
			n.reopen()
			n.snapshot()
			n.must(n.Close())
			return files.RemoveAll("data/store/db-1")
		}, "join again"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := vfs.NewMem()
			n := busy(t, files)
			n.must(n.Close())
			n.must(tc.damage(n, files))
			s, err := Open(n.cfg)
			if err == nil {
				err = errors.Join(s.RecoverSnapshot(), s.Close())
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error with %q", err, tc.want)
			}
		})
	}
}

func TestOpen_RefusesDamagedRecords(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"s/12345678", "s/1234567", "o/1234567812345678", "o/12", "d/n1", "m/applied", "m/cluster", "m/version"} {
		n := busy(t, vfs.NewMem())
		b := n.state.db.NewBatch()
		n.must(b.Set([]byte(key), []byte{0xff}, nil))
		n.must(n.state.db.Apply(b, pebble.NoSync))
		n.must(n.Close())
		if _, err := Open(n.cfg); err == nil {
			t.Errorf("a store with a damaged %q was opened", key)
		}
	}
}

func TestConfig_Validate(t *testing.T) {
	t.Parallel()
	for _, c := range []Config{{}, {Dir: "x", CacheBytes: -1}} {
		if _, err := Open(c); err == nil {
			t.Errorf("%+v: opened", c)
		}
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	n := busy(t, vfs.NewMem())
	n.snapshot()
	n.must(n.Close())
	n.must(n.Close())
	if _, err := n.Job(jobA); !errors.Is(err, errClosed) {
		t.Errorf("Job: got %v", err)
	}
	if _, _, err := n.Hash(); !errors.Is(err, errClosed) {
		t.Errorf("Hash: got %v", err)
	}
	if _, _, err := n.Snapshots().Open(n.newest().ID); !errors.Is(err, errClosed) {
		t.Errorf("Open: got %v", err)
	}
	expectPanic(t, "closed", func() { n.submit(plan(3)) })
}

// expectPanic wants f to panic with a message that contains want.
func expectPanic(t *testing.T, want string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if m, _ := recover().(string); !strings.Contains(m, want) {
			t.Errorf("got %q, want a panic with %q", m, want)
		}
	}()
	f()
}

func TestApply_StopsAtWhatItCannotRead(t *testing.T) {
	t.Parallel()
	entry := func(e *logpb.Entry) []byte {
		b, err := proto.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	unknownDecision := append(entry(&logpb.Entry{Version: Version}), 0xa2, 0x06, 0)
	tests := map[string]struct {
		data []byte
		want string
	}{
		"newer version":    {entry(&logpb.Entry{Version: Version + 1}), "upgrade this node"},
		"unknown decision": {unknownDecision, "upgrade this node"},
		"unknown word": {entry(&logpb.Entry{Version: 1, Decision: &logpb.Entry_Run{Run: &logpb.Run{Overlap: 99}}}),
			"upgrade this node"},
		"no version": {entry(&logpb.Entry{}), "no version"},
		"garbage":    {[]byte{0xff, 0xff}, "cannot apply entry 12"},
		"bad hash":   {entry(&logpb.Entry{Version: 1, Decision: &logpb.Entry_Init{}}), "the hash of an API key"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := busy(t, vfs.NewMem())
			before := n.hash()
			good := n.entry(plan(3))
			bad := &raft.Log{Index: good.Index + 1, Type: raft.LogCommand, Data: tc.data}
			expectPanic(t, tc.want, func() { n.ApplyBatch([]*raft.Log{good, bad}) })
			equal(t, "hash", n.hash(), before)
			n.Apply(good)
		})
	}
}

// TestReached: the store announces the moments at which a crash is worth a test,
// and what a crash there would leave.
func TestReached(t *testing.T) {
	t.Parallel()
	var reached []crashpoint.Point
	var n *node
	files := vfs.NewMem()
	n = &node{TB: t, cfg: Config{FS: files, Dir: "data/store", Reached: func(p crashpoint.Point) {
		reached = append(reached, p)
		switch p {
		case crashpoint.Logged:
			equal(t, "jobs before the entry", n.JobCount(), 0)
		case crashpoint.Swapped:
			current, err := readFile(files, "data/store/CURRENT")
			n.must(err)
			equal(t, "the current database", string(current), "db-2\n")
			equal(t, "the old one is there", n.names()[1], "db-1")
			equal(t, "the old one is in use", n.Applied(), 1)
		}
	}}}
	n.reopen()
	defer func() { n.must(n.Close()) }()
	n.ApplyBatch(nil)
	n.do(put(jobA, at(1), spec(job.OverlapSkip)))
	n.ApplyBatch(n.log) // known already
	_, content := busy(t, vfs.NewMem()).stream()
	n.must(n.Restore(io.NopCloser(bytes.NewReader(content))))
	if err := n.Restore(io.NopCloser(bytes.NewReader(content[1:]))); err == nil {
		t.Error("a damaged stream was restored")
	}
	equal(t, "reached", fmt.Sprint(reached), fmt.Sprint([]crashpoint.Point{crashpoint.Logged, crashpoint.Swapped}))
}

func TestApply_OnlyInItsTerm(t *testing.T) {
	t.Parallel()
	for term, applied := range map[uint64]bool{0: true, 3: true, 2: false, 4: false} {
		n := busy(t, vfs.NewMem())
		before := n.contents()
		b, err := Encode(plan(3), term)
		n.must(err)
		a := n.Apply(&raft.Log{Index: n.Applied() + 1, Term: 3, Type: raft.LogCommand, Data: b}).(*job.Applied)
		equal(t, "wrong term", a.WrongTerm, !applied)
		equal(t, "items", len(a.Items) == 1, applied)
		equal(t, "changed", n.contents() != before, applied)
		equal(t, "applied index", n.Applied(), a.Index)
	}
}

func TestApply_TakeOfficeChangesNothing(t *testing.T) {
	t.Parallel()
	n := busy(t, vfs.NewMem())
	before := n.contents()
	a := n.submit(job.TakeOffice{At: at(3), Node: n1})
	equal(t, "items", len(a.Items), 1)
	equal(t, "changed", n.contents() != before, false)
}

func TestApply_AgainChangesNothing(t *testing.T) {
	t.Parallel()
	n := busy(t, vfs.NewMem())
	hash, memory := n.hash(), n.memory()
	for i, a := range n.ApplyBatch(n.log) {
		got := a.(*job.Applied)
		equal(t, "index", got.Index, uint64(i)+1)
		equal(t, "items", len(got.Items), 0)
	}
	equal(t, "hash", n.hash(), hash)
	equal(t, "memory", n.memory(), memory)

	// A batch that begins with what is known.
	next := n.entry(plan(3))
	answers := n.ApplyBatch(n.log)
	equal(t, "answers", len(answers), len(n.log))
	equal(t, "new one's items", len(answers[len(answers)-1].(*job.Applied).Items), 1)
	equal(t, "applied", n.Applied(), next.Index)
	equal(t, "empty batch", len(n.ApplyBatch(nil)), 0)
}

func TestApply_IndexMovesWithEveryEntry(t *testing.T) {
	t.Parallel()
	n := busy(t, vfs.NewMem())
	last := n.Applied()
	for _, kind := range []raft.LogType{raft.LogConfiguration, raft.LogNoop, raft.LogBarrier} {
		last++
		a := n.Apply(&raft.Log{Index: last, Type: kind}).(*job.Applied)
		equal(t, "answer", a.Index, last)
	}
	last++
	n.StoreConfiguration(last, raft.Configuration{})
	equal(t, "applied", n.Applied(), last)
	n.must(n.Close())
	n.reopen()
	equal(t, "applied after a restart", n.Applied(), last)
}

func TestCrash_LosesOnlyTheTail(t *testing.T) {
	t.Parallel()
	files := vfs.NewCrashableMem()
	n := busy(t, files)
	_, err := n.flush()
	n.must(err)
	flushed := n.Applied()
	n.do(plan(3))
	hash, memory := n.hash(), n.memory()

	crashed := &node{TB: t, cfg: n.cfg, log: n.log}
	crashed.cfg.FS = files.CrashClone(vfs.CrashCloneCfg{})
	crashed.reopen()
	defer func() { crashed.must(crashed.Close()) }()
	equal(t, "applied", crashed.Applied(), flushed)
	crashed.ApplyBatch(n.log)
	equal(t, "hash", crashed.hash(), hash)
	equal(t, "memory", crashed.memory(), memory)
}

// failingFS refuses to make files while fail is set, like a full disk.
type failingFS struct {
	vfs.FS
	fail atomic.Bool
}

var errFull = errors.New("the disk is full")

func (f *failingFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if f.fail.Load() {
		return nil, errFull
	}
	return f.FS.Create(name, c)
}

func TestFailed_IsToldThatTheDiskIsFull(t *testing.T) {
	t.Parallel()
	files := &failingFS{FS: vfs.NewMem()}
	failed := make(chan error, 1)
	n := &node{TB: t, cfg: Config{FS: files, Dir: "store", Failed: func(err error) {
		select {
		case failed <- err:
		default:
		}
	}}}
	n.reopen()
	n.do(put(jobA, at(1), spec(job.OverlapSkip)))
	files.fail.Store(true)
	_, err := n.state.db.AsyncFlush()
	n.must(err)
	if err := <-failed; !errors.Is(err, errFull) {
		t.Errorf("got %v, want %v", err, errFull)
	}
	n.job(jobA) // reads go on
	files.fail.Store(false)
	n.must(n.Close())
}

// TestReadersBesideApply has readers of every kind while entries are applied,
// snapshots streamed and the state restored; each sees a state between two
// batches. It is the race detector that looks.
func TestReadersBesideApply(t *testing.T) {
	t.Parallel()
	n := busy(t, vfs.NewMem())
	done := make(chan struct{})
	var readers sync.WaitGroup
	for _, read := range []func() error{
		func() error { _, _, err := n.Hash(); return err },
		func() error { _, err := n.Job(jobA); return err },
		func() error { _, err := n.Executions(jobA, job.ExecutionID{}, 10); return err },
		func() error {
			n.Due(at(99), 9, nil)
			n.NextDue()
			n.OpenExecution(slotID(1))
			n.OpenOf(jobA)
			return nil
		},
		func() error { n.LogVersion(); n.Dismissed("n2"); n.ClusterID(); return nil },
		func() error { f := n.Watch(); defer f.Close(); f.Drain(); return nil },
		func() error { return n.WaitApplied(t.Context(), n.Applied()) },
		func() error {
			list, err := n.Snapshots().List()
			if err != nil || len(list) == 0 {
				return err
			}
			_, r, err := n.Snapshots().Open(list[0].ID)
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, r)
			return errors.Join(err, r.Close())
		},
	} {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := read(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := 3; i < 40; i++ {
		n.do(plan(i))
		if i == 13 || i == 26 {
			_, content := n.stream()
			n.must(n.Restore(io.NopCloser(bytes.NewReader(content))))
		}
	}
	close(done)
	readers.Wait()
}
