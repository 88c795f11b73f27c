package fsm

import (
	"cmp"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/cronraft/cronraft/fsm/logpb"
	"github.com/cronraft/cronraft/internal/job"
)

// The records of the store. What they are made of comes from decoded entries and
// from records, so writing one cannot fail, and reading one fails only if the
// store is corrupt or was written by a later program.

// row is what Apply reads and changes of a job.
type row struct {
	id job.ID
	*logpb.JobState
	// due is the job's entry in the agenda, zero for none.
	due due
	// listed is where lists have the job.
	listed indexed
}

func newRow(id job.ID, p *logpb.JobState) *row {
	return &row{id: id, JobState: p, due: dueOf(id, p), listed: indexedOf(p)}
}

// dueOf is the entry that the job has to have in the agenda. Slots that are given up
// come first, whatever the job's state.
func dueOf(id job.ID, p *logpb.JobState) due {
	if from := p.GetGivenUpFrom(); from != 0 {
		return due{at: from, job: id, slot: from}
	}
	if p.GetState() != logpb.State_STATE_ACTIVE || p.GetNextRunAt() == 0 {
		return due{}
	}
	return due{at: cmp.Or(p.GetNextDueAt(), p.GetNextRunAt()), job: id, slot: p.GetNextRunAt()}
}

func readState(b []byte) (*logpb.JobState, error) {
	p := &logpb.JobState{}
	if err := proto.Unmarshal(b, p); err != nil {
		return nil, fmt.Errorf("decode the state of a job: %w", err)
	}
	return p, nil
}

func (w *writer) definition(j job.Job) *logpb.Definition {
	return &logpb.Definition{
		KeyId:     j.KeyID,
		CreatedAt: millis(j.CreatedAt),
		UpdatedAt: millis(j.UpdatedAt),
		Spec:      w.spec(j.Spec),
		Hook:      w.hook(j.Hook),
	}
}

// readJob puts a job together from its two records.
func readJob(id job.ID, definition, state []byte) (job.Job, error) {
	var p logpb.Definition
	if err := proto.Unmarshal(definition, &p); err != nil {
		return job.Job{}, fmt.Errorf("decode the definition of %v: %w", id, err)
	}
	st, err := readState(state)
	if err != nil {
		return job.Job{}, fmt.Errorf("%v: %w", id, err)
	}
	r := &reader{}
	j := r.job(id, &p, st)
	if r.err != nil {
		return job.Job{}, fmt.Errorf("decode %v: %w", id, r.err)
	}
	return j, nil
}

func (r *reader) job(id job.ID, p *logpb.Definition, st *logpb.JobState) job.Job {
	j := job.Job{
		ID:                  id,
		Namespace:           st.GetNamespace(),
		KeyID:               p.GetKeyId(),
		Version:             st.GetVersion(),
		CreatedAt:           instant(p.GetCreatedAt()),
		UpdatedAt:           instant(p.GetUpdatedAt()),
		Spec:                r.spec(p.GetSpec()),
		Hook:                r.hook(p.GetHook()),
		NextRunAt:           instant(st.GetNextRunAt()),
		NextDueAt:           instant(cmp.Or(st.GetNextDueAt(), st.GetNextRunAt())),
		GivenUp:             job.Period{From: instant(st.GetGivenUpFrom()), Until: instant(st.GetGivenUpUntil())},
		LastRunAt:           instant(st.GetLastRunAt()),
		LastResult:          word(r, results, st.GetLastResult()),
		ConsecutiveFailures: int(st.GetConsecutiveFailures()),
		Runs:                int(st.GetRuns()),
		Counts: job.Counts{
			Success:   st.GetSuccess(),
			Failed:    st.GetFailed(),
			Skipped:   st.GetSkipped(),
			Missed:    st.GetMissed(),
			Cancelled: st.GetCancelled(),
		},
	}
	j.State = word(r, states, st.GetState())
	j.Overlap = word(r, overlaps, st.GetOverlap())
	return j
}

func (w *writer) execution(x *job.Execution) *logpb.Execution {
	p := &logpb.Execution{
		Trigger:     number[logpb.Trigger](w, triggers, x.Trigger),
		ScheduledAt: millis(x.ScheduledAt),
		DueAt:       millis(x.DueAt),
		CreatedAt:   millis(x.CreatedAt),
		StartedAt:   millis(x.StartedAt),
		FinishedAt:  millis(x.FinishedAt),
		Result:      number[logpb.Result](w, results, x.Result),
		HttpStatus:  int64(x.HTTPStatus),
		NodeId:      x.NodeID,
		Error:       w.attemptError(x.Err),
		Response:    x.Response,
		MissedFrom:  millis(x.MissedFrom),
		MissedTo:    millis(x.MissedTo),
		MissedCount: int64(x.MissedCount),
		Event:       w.event(x.Event),
	}
	for _, a := range x.Attempts {
		p.Attempts = append(p.Attempts, w.attempt(a))
	}
	return p
}

func (w *writer) attempt(a job.Attempt) *logpb.Attempt {
	return &logpb.Attempt{
		Number:     int64(a.Number),
		NodeId:     a.NodeID,
		StartedAt:  millis(a.StartedAt),
		DurationUs: a.Duration.Microseconds(),
		HttpStatus: int64(a.HTTPStatus),
		Error:      w.attemptError(a.Err),
		Timings:    w.timings(a.Timings),
		Unbegun:    a.Unbegun,
	}
}

func readExecution(id job.ExecutionID, b []byte) (*job.Execution, error) {
	var p logpb.Execution
	if err := proto.Unmarshal(b, &p); err != nil {
		return nil, fmt.Errorf("decode %v: %w", id, err)
	}
	r := &reader{}
	x := r.execution(id, &p)
	if r.err != nil {
		return nil, fmt.Errorf("decode %v: %w", id, r.err)
	}
	return x, nil
}

func (r *reader) execution(id job.ExecutionID, p *logpb.Execution) *job.Execution {
	x := &job.Execution{
		ID:          id,
		Trigger:     word(r, triggers, p.GetTrigger()),
		ScheduledAt: instant(p.GetScheduledAt()),
		DueAt:       instant(p.GetDueAt()),
		CreatedAt:   instant(p.GetCreatedAt()),
		StartedAt:   instant(p.GetStartedAt()),
		FinishedAt:  instant(p.GetFinishedAt()),
		Result:      word(r, results, p.GetResult()),
		HTTPStatus:  int(p.GetHttpStatus()),
		NodeID:      p.GetNodeId(),
		Err:         r.attemptError(p.GetError()),
		Response:    octets(p.GetResponse()),
		MissedFrom:  instant(p.GetMissedFrom()),
		MissedTo:    instant(p.GetMissedTo()),
		MissedCount: int(p.GetMissedCount()),
		Event:       r.event(p.GetEvent()),
	}
	for _, a := range p.GetAttempts() {
		x.Attempts = append(x.Attempts, r.attempt(a))
	}
	return x
}

func (r *reader) attempt(p *logpb.Attempt) job.Attempt {
	return job.Attempt{
		Number:     int(p.GetNumber()),
		NodeID:     p.GetNodeId(),
		StartedAt:  instant(p.GetStartedAt()),
		Duration:   r.duration(p.GetDurationUs(), time.Microsecond),
		HTTPStatus: int(p.GetHttpStatus()),
		Err:        r.attemptError(p.GetError()),
		Timings:    r.timings(p.GetTimings()),
		Unbegun:    p.GetUnbegun(),
	}
}

func (w *writer) open(x job.Open) *logpb.OpenExecution {
	return &logpb.OpenExecution{
		Trigger:     number[logpb.Trigger](w, triggers, x.Trigger),
		ScheduledAt: millis(x.ScheduledAt),
		Phase:       number[logpb.Phase](w, phases, x.Phase),
		Attempt:     int64(x.Attempt),
		Node:        w.node(x.Node),
		RetryAt:     millis(x.RetryAt),
		Failures:    int64(x.Failures),
		Beside:      x.Beside,
		DueAt:       millis(x.DueAt),
	}
}

func readOpen(id job.ExecutionID, b []byte) (job.Open, error) {
	var p logpb.OpenExecution
	if err := proto.Unmarshal(b, &p); err != nil {
		return job.Open{}, fmt.Errorf("decode open %v: %w", id, err)
	}
	r := &reader{}
	x := job.Open{
		Execution:   id,
		Trigger:     word(r, triggers, p.GetTrigger()),
		ScheduledAt: instant(p.GetScheduledAt()),
		Phase:       word(r, phases, p.GetPhase()),
		Attempt:     int(p.GetAttempt()),
		Node:        r.node(p.GetNode()),
		RetryAt:     instant(p.GetRetryAt()),
		Failures:    int(p.GetFailures()),
		Beside:      p.GetBeside(),
		DueAt:       instant(p.GetDueAt()),
	}
	if r.err != nil {
		return job.Open{}, fmt.Errorf("decode open %v: %w", id, r.err)
	}
	return x, nil
}
