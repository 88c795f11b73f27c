package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/cronraft/cronraft/internal/checker"
	"github.com/cronraft/cronraft/internal/localcluster"
)

const (
	registers = 4
	// registerPause is between two operations of one client. Each node has two
	// clients: a patient one, and one that asks other nodes too.
	registerPause = 40 * time.Millisecond
)

// register is a job that never fires, whose description several clients write and
// read at once: whether its history is linearizable is for porcupine to say.
type register struct {
	id, name string

	// mu guards history.
	mu      sync.Mutex
	history []porcupine.Operation
	counts  opCounts
	written []time.Time // when writes were acknowledged
}

// access is the input of an operation on a register.
type access struct {
	isRead bool
	value  string // to write
	// ifVersion is the version that a write needs; zero: any.
	ifVersion uint64
}

// answer is the output.
type answer struct {
	value   string
	version uint64 // after the operation
	// isRejected: the write needed another version.
	isRejected bool
	isUnknown  bool
}

// registerModel is a value with a version that each write raises by one.
//
// A write of unknown outcome ends never: if it has no effect that anybody saw, it
// takes its place after everything else.
var registerModel = porcupine.Model{
	Init: func() any { return answer{version: 1} },
	Step: func(state, input, output any) (bool, any) {
		return stepRegister(state.(answer), input.(access), output.(answer))
	},
	DescribeOperation: func(input, output any) string {
		return fmt.Sprintf("%+v -> %+v", input, output)
	},
	DescribeState: func(state any) string {
		s := state.(answer)
		return fmt.Sprintf("%q v%d", s.value, s.version)
	},
}

func stepRegister(now answer, in access, out answer) (ok bool, next answer) {
	if in.isRead {
		return out.value == now.value && out.version == now.version, now
	}
	meets := in.ifVersion == 0 || in.ifVersion == now.version
	written := answer{value: in.value, version: now.version + 1}
	switch {
	case out.isUnknown && !meets, out.isRejected && !meets:
		return true, now
	case out.isUnknown:
		return true, written
	case out.isRejected || !meets:
		return false, now
	default:
		return out.version == written.version, written
	}
}

// startRegisters creates the registers and lets their clients begin.
func (w *workload) startRegisters(ctx context.Context) error {
	for i := range registers {
		r := &register{name: fmt.Sprintf("%s-register-%d", w.prefix, i)}
		s := job(behaveOK, 1).cron("0 0 29 2 *", "UTC")
		a := ask(ctx, w.cluster, i%w.cluster.Len(), localcluster.Request{Method: http.MethodPost, Path: "/jobs", Body: s.body(r.name, w.target.url)})
		var made struct {
			JobID   string
			Version uint64
		}
		if a.outcome != checker.OK || a.Data(&made) != nil || made.Version != 1 {
			return fmt.Errorf("create a register: %d %s", a.Status, a.Body)
		}
		r.id = made.JobID
		w.registers = append(w.registers, r)
	}
	for i := range 2 * w.cluster.Len() {
		c := &registerClient{w: w, number: i, rng: w.rng(fmt.Sprintf("register%d", i))}
		w.clients.Go(c.run)
	}
	return nil
}

// registerClient is one client of all registers.
type registerClient struct {
	w      *workload
	number int
	rng    *rand.Rand
	writes int
}

// run reads and writes until the workload ends. What was begun by then is waited
// for.
func (c *registerClient) run(ending context.Context) error {
	ctx := context.WithoutCancel(ending)
	seen := map[*register]uint64{}
	for pause(ending, registerPause/2+time.Duration(c.rng.Int64N(int64(registerPause)))) == nil {
		r := pick(c.rng, c.w.registers)
		in := access{isRead: c.rng.IntN(2) == 0}
		if !in.isRead {
			c.writes++
			in.value = fmt.Sprintf("%d.%d", c.number, c.writes)
			if c.rng.IntN(3) == 0 {
				in.ifVersion = seen[r]
			}
		}
		if version := c.access(ctx, r, in); version != 0 {
			seen[r] = version
		}
	}
	return nil
}

// access makes one operation, notes it, and returns the version that it saw.
func (c *registerClient) access(ctx context.Context, r *register, in access) uint64 {
	node, limit := c.number/2, patient
	if c.number%2 == 1 {
		node, limit = c.w.node(c.rng), patience
	}
	called := time.Now()
	a := askFor(ctx, limit, c.w.cluster, node, in.request(r.id))
	returned := time.Now()
	out, ok := in.answer(a)
	if a.outcome == checker.Refused && !ok && a.Status != 0 && a.Status < http.StatusInternalServerError {
		c.w.complain("%+v of %s at %s was answered %d %s", in, r.name, c.w.cluster.Node(node).ID, a.Status, a.Body)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !in.isRead {
		r.counts.add(a.outcome)
		if a.outcome == checker.OK {
			r.written = append(r.written, returned)
		}
	}
	if !ok {
		return 0
	}
	op := porcupine.Operation{ClientId: c.number, Input: in, Call: called.UnixNano(), Output: out, Return: returned.UnixNano()}
	if out.isUnknown {
		op.Return = forever
	}
	r.history = append(r.history, op)
	return out.version
}

// forever is when an operation of unknown outcome ends.
const forever = int64(1) << 62

func (in access) request(id string) localcluster.Request {
	r := localcluster.Request{Method: http.MethodGet, Path: "/jobs/" + id}
	if !in.isRead {
		r.Method, r.Body = http.MethodPatch, encode(map[string]any{"description": in.value})
	}
	if in.ifVersion != 0 {
		r.Header = map[string]string{"If-Match": strconv.Quote(strconv.FormatUint(in.ifVersion, 10))}
	}
	return r
}

// answer is what a reply says of the register; not ok: nothing.
func (in access) answer(r reply) (out answer, ok bool) {
	switch {
	case r.Status == http.StatusPreconditionFailed && in.ifVersion != 0:
		return answer{isRejected: true}, true
	case r.outcome == checker.Unknown:
		return answer{isUnknown: true}, !in.isRead
	case r.outcome == checker.Refused:
		return answer{}, false
	}
	var data struct {
		Description *string
		Version     uint64
	}
	if err := r.Data(&data); err != nil {
		return answer{isUnknown: true}, !in.isRead
	}
	out.version = data.Version
	if data.Description != nil {
		out.value = *data.Description
	}
	return out, true
}
