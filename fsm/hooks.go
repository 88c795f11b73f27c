package fsm

import (
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/cronraft/cronraft/fsm/logpb"
	"github.com/cronraft/cronraft/internal/job"
)

// maxDeliveries is how many deliveries of a webhook may be open. One whose target is
// gone has more and more of them, as long as they are retried.
const maxDeliveries = 1000

// crowdedMessage is what the record of a delivery says that gave way.
const crowdedMessage = "too many deliveries of the webhook were open: its target does not accept them"

// defaultKeep is how many deliveries of a webhook are kept before an entry has
// said how many records of a job are.
const defaultKeep = 200

// hooks are the ACTIVE webhooks. The store's lock guards them.
type hooks struct {
	byID map[job.ID]hook
	// byEvent has the IDs of those that want an event, ascending.
	byEvent map[job.EventType][]job.ID
}

// hook is a webhook and the namespace that it belongs to.
type hook struct {
	namespace string
	job.Hook
}

func newHooks() *hooks {
	return &hooks{byID: map[job.ID]hook{}, byEvent: map[job.EventType][]job.ID{}}
}

func (h *hooks) put(id job.ID, namespace string, wants job.Hook) {
	h.remove(id)
	h.byID[id] = hook{namespace, wants}
	for _, e := range wants.Events {
		if at, found := slices.BinarySearch(h.byEvent[e], id); !found {
			h.byEvent[e] = slices.Insert(h.byEvent[e], at, id)
		}
	}
}

func (h *hooks) remove(id job.ID) {
	for _, e := range h.byID[id].Events {
		h.byEvent[e] = slices.DeleteFunc(h.byEvent[e], func(other job.ID) bool { return other == id })
		if len(h.byEvent[e]) == 0 {
			delete(h.byEvent, e)
		}
	}
	delete(h.byID, id)
}

// subscribe keeps what is in memory of a webhook as its definition says.
func (t *tx) subscribe(r *row, wants *job.Hook) {
	switch {
	case wants == nil:
	case r.GetState() == logpb.State_STATE_ACTIVE:
		t.state.hooks.put(r.id, r.GetNamespace(), *wants)
	default:
		t.state.hooks.remove(r.id)
	}
}

// deliver opens an execution of each webhook that wants an event.
func (t *tx) deliver(e *job.Event) {
	for _, id := range t.state.hooks.byEvent[e.Type] {
		if h := t.state.hooks.byID[id]; (h.Cluster || h.namespace == e.Namespace) && t.hasTag(e.Job, h.Tag) {
			r := t.row(id)
			t.openDelivery(r, nextDelivery(r, e.At), e)
		}
	}
}

// hasTag reports whether a job has the tag that a webhook asks for, if it does.
func (t *tx) hasTag(id job.ID, tag *job.Tag) bool {
	if tag == nil {
		return true
	}
	return slices.ContainsFunc(t.definition(id).GetSpec().GetTags(), func(p *logpb.Tag) bool {
		return p.GetKey() == tag.Key && p.GetValue() == tag.Value
	})
}

// nextDelivery is an ID that no delivery of the webhook ever had: as late as its
// event, and later than all before it.
func nextDelivery(r *row, at time.Time) job.ExecutionID {
	id := job.ExecutionID{Job: r.id, Order: max(job.ManualExecution(r.id, at, 1).Order, r.GetNewest()+1)}
	if id == job.SlotExecution(r.id, id.Time()) { // it is none's
		id.Order++
	}
	return id
}

// openDelivery opens an execution of a webhook, unless too many are open.
func (t *tx) openDelivery(r *row, id job.ExecutionID, e *job.Event) {
	x := &job.Execution{ID: id, Trigger: job.TriggerEvent, ScheduledAt: e.At, DueAt: e.At, CreatedAt: e.At, Result: job.Running, Event: e}
	if t.state.opens.begun(r.id) < maxDeliveries {
		t.start(r, x, job.Open{Phase: job.PhasePending, RetryAt: e.At}, logpb.OverlapPolicy_OVERLAP_ALLOW)
	} else {
		t.skip(r, x, crowdedMessage)
	}
	if t.state.keep > 0 { // those that are open may be many, and do not count
		t.trim(r, t.state.keep+t.state.opens.begun(r.id))
	}
	t.save(r)
}

// tryHook delivers a test event.
func (t *tx) tryHook(d job.TryHook) job.Item {
	r, refusal := t.owned(d.Hook, d.Namespace, 0)
	switch {
	case refusal != nil || !r.GetHook():
		return refuse(job.Errorf(job.CodeNotFound, "there is no webhook %v", d.Hook))
	case t.recorded(r, d.Execution):
		return refuse(job.ErrStale)
	}
	t.keep(d.HistoryPerJob)
	e := t.note(job.Event{Type: job.EventTest, At: d.At, Namespace: r.GetNamespace(), Job: r.id, JobName: t.name(r)})
	t.openDelivery(r, d.Execution, e)
	return job.Item{Result: t.execution(d.Execution).Result}
}

// keep remembers how many records of a job are kept, for entries that do not say.
func (t *tx) keep(records int) {
	if !t.isThird() || records == t.state.keep {
		return
	}
	t.put(keepKey, &logpb.Retention{PerJob: proto.Int64(int64(records))})
	t.state.keep = records
}

// loadHooks reads the webhooks.
func (st *state) loadHooks() error {
	return st.scan(hookPrefix, anyLength, func(key, _ []byte) error {
		j, err := st.job(jobOf(key))
		if err == nil && j.State == job.Active && j.Hook != nil {
			st.hooks.put(j.ID, j.Namespace, *j.Hook)
		}
		return err
	})
}
