package fsm

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/cronraft/cronraft/fsm/logpb"
	"github.com/cronraft/cronraft/internal/job"
)

const (
	// maxFailing is how many deliveries of a webhook may be open that have failed. One
	// whose target is gone has more and more of them, as long as they are tried again.
	maxFailing = 1000
	// maxDeliveries is how many may be open at all.
	maxDeliveries = 100_000
)

// What the record of events says that are not delivered.
var (
	failingMessage = fmt.Sprintf("%d deliveries of the webhook had failed and were to be tried again: its target does not accept them", maxFailing)
	crowdedMessage = fmt.Sprintf("%d deliveries of the webhook were open: its target does not accept them as fast as events come", maxDeliveries)
)

// defaultKeep is how many deliveries of a webhook are kept before an entry has
// said how many records of a job are.
const defaultKeep = 200

// hooks are the webhooks. The store's lock guards them.
type hooks struct {
	// byID has the ACTIVE ones.
	byID map[job.ID]job.Hook
	// wanted has the IDs of the ACTIVE ones that want an event, ascending.
	wanted map[subscription][]job.ID
	// homes has where each belongs, ACTIVE or not, and counts how many belong there.
	homes  map[job.ID]string
	counts map[string]int
}

// subscription is an event, and the home of those who want it.
type subscription struct {
	home  string
	event job.EventType
}

// home is where a webhook belongs: to its namespace, or to the whole cluster, which
// has no name.
func home(namespace string, h *job.Hook) string {
	if h.Cluster {
		return ""
	}
	return namespace
}

func newHooks() *hooks {
	return &hooks{
		byID: map[job.ID]job.Hook{}, wanted: map[subscription][]job.ID{},
		homes: map[job.ID]string{}, counts: map[string]int{},
	}
}

// put keeps a webhook, which may be one that is kept already.
func (h *hooks) put(id job.ID, home string, wants job.Hook, active bool) {
	h.remove(id)
	h.homes[id] = home
	h.counts[home]++
	if !active {
		return
	}
	h.byID[id] = wants
	for _, e := range wants.Events {
		s := subscription{home, e}
		if at, found := slices.BinarySearch(h.wanted[s], id); !found {
			h.wanted[s] = slices.Insert(h.wanted[s], at, id)
		}
	}
}

func (h *hooks) remove(id job.ID) {
	home, found := h.homes[id]
	if !found {
		return
	}
	for _, e := range h.byID[id].Events {
		s := subscription{home, e}
		h.wanted[s] = slices.DeleteFunc(h.wanted[s], func(other job.ID) bool { return other == id })
		if len(h.wanted[s]) == 0 {
			delete(h.wanted, s)
		}
	}
	delete(h.byID, id)
	delete(h.homes, id)
	if h.counts[home]--; h.counts[home] == 0 {
		delete(h.counts, home)
	}
}

// refusal is what speaks against a further webhook.
func (h *hooks) refusal(home string) *job.Error {
	switch {
	case h.counts[home] < job.HookLimit:
		return nil
	case home == "":
		return job.Errorf(job.CodeConflict, "there are %d webhooks of the whole cluster, and there may be no more: change one, or delete one", job.HookLimit)
	default:
		return job.Errorf(job.CodeConflict, "namespace %s has %d webhooks, and may have no more: change one, or delete one", home, job.HookLimit)
	}
}

// subscribe keeps what is in memory of a webhook as its definition says.
func (t *tx) subscribe(r *row, wants *job.Hook) {
	if wants != nil {
		t.state.hooks.put(r.id, home(r.GetNamespace(), wants), *wants, r.GetState() == logpb.State_STATE_ACTIVE)
	}
}

// deliver opens an execution of each webhook that wants an event of a job with the
// tags.
func (t *tx) deliver(e *job.Event, tags []*logpb.Tag) {
	t.deliverAt("", e, tags)
	if e.Namespace != "" {
		t.deliverAt(e.Namespace, e, tags)
	}
}

func (t *tx) deliverAt(home string, e *job.Event, tags []*logpb.Tag) {
	for _, id := range t.state.hooks.wanted[subscription{home, e.Type}] {
		tag := t.state.hooks.byID[id].Tag
		if tag == nil || hasTag(tags, &logpb.Tag{Key: tag.Key, Value: tag.Value}) {
			t.deliverTo(t.receiver(id), e)
		}
	}
}

// receiver is the row of a webhook that the entry delivers to. It is read once for all
// the events of the entry, and written at its end.
func (t *tx) receiver(id job.ID) *row {
	r := t.row(id)
	if t.receivers == nil {
		t.receivers = map[job.ID]*row{}
	}
	t.receivers[id] = r
	return r
}

// endDeliveries writes the webhooks that an entry has delivered to.
func (t *tx) endDeliveries() {
	for _, id := range slices.Sorted(maps.Keys(t.receivers)) {
		r := t.receivers[id]
		t.trim(r, t.state.keep)
		t.save(r)
	}
	clear(t.receivers)
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

// deliverTo opens an execution of a webhook, unless its target does not accept what
// is open already.
func (t *tx) deliverTo(r *row, e *job.Event) {
	switch {
	case t.state.opens.failing(r.id) >= maxFailing:
		t.drop(r, e, failingMessage)
	case t.state.opens.begun(r.id) >= maxDeliveries:
		t.drop(r, e, crowdedMessage)
	default:
		t.openDelivery(r, nextDelivery(r, e.At), e)
	}
}

func (t *tx) openDelivery(r *row, id job.ExecutionID, e *job.Event) {
	x := &job.Execution{ID: id, Trigger: job.TriggerEvent, ScheduledAt: e.At, DueAt: e.At, CreatedAt: e.At, Result: job.Running, Event: e}
	t.start(r, x, job.Open{Phase: job.PhasePending, RetryAt: e.At}, logpb.OverlapPolicy_OVERLAP_ALLOW)
}

// drop records an event that is not delivered. All that follow one after the other
// share the record of the first: it is the newest.
func (t *tx) drop(r *row, e *job.Event, why string) {
	x := t.execution(job.ExecutionID{Job: r.id, Order: r.GetNewest()})
	if x == nil || x.Result != job.Skipped {
		first := *e
		x = &job.Execution{
			ID: nextDelivery(r, e.At), Trigger: job.TriggerEvent, ScheduledAt: e.At, DueAt: e.At, CreatedAt: e.At,
			Result: job.Skipped, MissedFrom: e.At, Event: &first,
		}
		t.addRecord(r, x)
	}
	x.MissedTo, x.FinishedAt = e.At, e.At
	x.MissedCount++
	x.Err = &job.AttemptError{Code: job.ErrOverlap, Msg: fmt.Sprintf("events that were not delivered, this one and those after it: %d; %s", x.MissedCount, why)}
	t.putExecution(x)
	count(r, job.Skipped)
}

// tryHook delivers a test event, whatever else is open and has failed: its target may
// have been mended.
func (t *tx) tryHook(d job.TryHook) job.Item {
	r, refusal := t.owned(d.Hook, d.Namespace, 0)
	switch {
	case refusal != nil || !r.GetHook():
		return refuse(job.Errorf(job.CodeNotFound, "there is no webhook %v", d.Hook))
	case t.recorded(r, d.Execution):
		return refuse(job.ErrStale)
	case t.state.opens.begun(r.id) >= maxDeliveries:
		return refuse(job.Errorf(job.CodeConflict, "%s: try again later", crowdedMessage))
	}
	t.keep(d.HistoryPerJob)
	e := t.note(job.Event{Type: job.EventTest, At: d.At, Namespace: t.audience(r)})
	t.openDelivery(t.receiver(d.Hook), d.Execution, e)
	return job.Item{Result: job.Running}
}

// audience is the namespace that an event about a webhook is of: none for one of the
// whole cluster, which is only the root key's to know of.
func (t *tx) audience(r *row) string {
	if t.definition(r.id).GetHook().GetCluster() {
		return ""
	}
	return r.GetNamespace()
}

// keep remembers how many records of a job are kept, for entries that do not say.
func (t *tx) keep(records int) {
	if !t.isThird() || records == t.state.keep {
		return
	}
	t.put(keepKey, &logpb.Retention{PerJob: proto.Int64(int64(records))})
	t.state.keep = records
}

// Receivers is how many webhooks one event may be delivered to, at most.
func (s *Store) Receivers() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return min(len(s.state.hooks.byID), 2*job.HookLimit)
}

// loadHooks reads the webhooks.
func (st *state) loadHooks() error {
	return st.scan(hookPrefix, anyLength, func(key, _ []byte) error {
		j, err := st.job(jobOf(key))
		if err == nil && j.Hook != nil {
			st.hooks.put(j.ID, home(j.Namespace, j.Hook), *j.Hook, j.State == job.Active)
		}
		return err
	})
}
