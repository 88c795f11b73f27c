package fsm

import (
	"google.golang.org/protobuf/proto"

	"github.com/cronraft/cronraft/fsm/logpb"
	"github.com/cronraft/cronraft/internal/job"
)

// What Apply has to call for lists to be right. It writes nothing that is replicated,
// and nothing about webhooks and their executions, of which there are none in lists.

// listState follows the state and the last result of a job. Whoever writes the
// state calls it.
func (t *tx) listState(r *row) {
	now := indexedOf(r.JobState)
	t.index.jobState(r.GetNamespace(), r.id, r.listed, now)
	r.listed = now
}

// listSpec follows what a user writes of a job: was is what the definition was, nil
// for a new job, and is what it becomes. The row says whether it is a webhook.
func (t *tx) listSpec(r *row, was, is *logpb.Spec) {
	if !r.GetHook() {
		t.index.jobSpec(r.GetNamespace(), r.id, was, is)
	}
}

// unlistJob takes a job that is to be deleted, and its records, out of all lists. It
// has to be called before anything of the job is removed.
func (t *tx) unlistJob(r *row) {
	if r.GetHook() {
		return
	}
	var old logpb.Definition
	t.get(definitionKey(r.id), func(value []byte) error { return proto.Unmarshal(value, &old) })
	t.index.jobSpec(r.GetNamespace(), r.id, old.GetSpec(), nil)
	t.index.jobState(r.GetNamespace(), r.id, r.listed, indexed{})
	r.listed = indexed{}
	if r.GetRecords() == 0 {
		return
	}
	open := jobKey(openPrefix, r.id)
	t.scan(open, afterAll(open), func(key, _ []byte) bool {
		t.state.unended.remove(executionOf(key))
		return true
	})
	records := jobKey(executionPrefix, r.id)
	t.scan(records, afterAll(records), func(key, value []byte) bool {
		t.unlistEnded(r, executionOf(key), value)
		return true
	})
}

// listRecord follows an execution: it has to be called when its record is written
// first, and when that gets its terminal result.
func (t *tx) listRecord(r *row, x *job.Execution) {
	switch {
	case r.GetHook():
	case !x.Result.Terminal():
		t.state.unended.put(r.GetNamespace(), x.ID)
	default:
		t.state.unended.remove(x.ID)
		t.index.ended(r.GetNamespace(), x.ID, number[logpb.Result](&t.w, results, x.Result), number[logpb.Trigger](&t.w, triggers, x.Trigger))
	}
}

// unlistRecord follows an execution that has ended and whose record is removed, to
// make room. It has to be called before that.
func (t *tx) unlistRecord(r *row, id job.ExecutionID, record []byte) {
	if !r.GetHook() {
		t.unlistEnded(r, id, record)
	}
}

func (t *tx) unlistEnded(r *row, id job.ExecutionID, record []byte) {
	result, trigger, err := endOf(record)
	check("read the state", err)
	if hasEnded(result) {
		t.index.gone(r.GetNamespace(), id, result, trigger)
	}
}
