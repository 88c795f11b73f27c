package fsm

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/cronraft/cronraft/fsm/logpb"
	"github.com/cronraft/cronraft/internal/job"
)

// The index is what lists are made of, of jobs and of executions, by what they may
// be filtered by. It follows from the rest of the state and is no part of it: each
// node keeps its own, and makes a new one if what it finds was not kept up.
//
// Each kind of key begins with the namespace, and ends with the place of the job or
// the execution in a list, so that those of one list are side by side and in order:
//
//	i/s/NAMESPACE STATE ID        the jobs in a state
//	i/l/NAMESPACE RESULT ID       the jobs by their last result
//	i/t/NAMESPACE KEY VALUE ID    the jobs that have a tag
//	i/n/NAMESPACE NAME ID         the jobs by name
//	i/r/NAMESPACE RESULT PLACE    the executions that have ended: their trigger
//	i/g/NAMESPACE TRIGGER PLACE   those whose trigger is not SCHEDULED
//	i/format                      the format of these keys, and the applied index
//
// Webhooks and their executions are not in it. An execution that has not ended is
// not either: it would leave a tombstone at the very place where lists begin, and
// is found in memory ([unended]).
//
// A key is deleted with an ordinary tombstone. SingleDelete would go away sooner,
// but if the same key was ever set twice it would bring the first one back.
const (
	indexPrefix     = "i/"
	jobStateIndex   = "i/s/"
	lastResultIndex = "i/l/"
	tagIndex        = "i/t/"
	nameIndex       = "i/n/"
	endedIndex      = "i/r/"
	triggerIndex    = "i/g/"
)

// The numbers of the fields of [logpb.Execution] that the index is made of.
const (
	triggerField = 1
	resultField  = 7
)

// index writes the keys of the index into a batch.
type index struct {
	batch *pebble.Batch
	key   []byte // to be written next; reused
}

func (x *index) set(key, value []byte) { check("write the index", x.batch.Set(key, value, nil)) }

func (x *index) remove(key []byte) { check("write the index", x.batch.Delete(key, nil)) }

// indexed is what is in the index of a job's state; zero for nothing.
type indexed struct {
	state  logpb.State
	result logpb.Result
}

func indexedOf(p *logpb.JobState) indexed {
	if p.GetHook() {
		return indexed{}
	}
	return indexed{p.GetState(), p.GetLastResult()}
}

// jobState moves a job to where its state and last result belong. It writes
// nothing if they have not changed, as most runs of a job do not change them.
func (x *index) jobState(namespace string, id job.ID, was, is indexed) {
	if was.state != is.state {
		x.move(jobStateIndex, namespace, byte(was.state), byte(is.state), id)
	}
	if was.result != is.result {
		x.move(lastResultIndex, namespace, byte(was.result), byte(is.result), id)
	}
}

// move moves a job from one list to another; there is no list zero.
func (x *index) move(prefix, namespace string, from, to byte, id job.ID) {
	if from != 0 {
		x.key = binary.BigEndian.AppendUint64(wordKey(x.key[:0], prefix, namespace, from), uint64(id))
		x.remove(x.key)
	}
	if to != 0 {
		x.key = binary.BigEndian.AppendUint64(wordKey(x.key[:0], prefix, namespace, to), uint64(id))
		x.set(x.key, nil)
	}
}

// jobSpec puts what users change of a job where it belongs; nil stands for no
// job.
func (x *index) jobSpec(namespace string, id job.ID, was, is *logpb.Spec) {
	if was == nil || is == nil || was.GetName() != is.GetName() {
		if was != nil {
			x.remove(x.named(namespace, was.GetName(), id))
		}
		if is != nil {
			x.set(x.named(namespace, is.GetName(), id), nil)
		}
	}
	for _, t := range was.GetTags() {
		if !hasTag(is.GetTags(), t) {
			x.remove(x.tagged(namespace, t, id))
		}
	}
	for _, t := range is.GetTags() {
		if !hasTag(was.GetTags(), t) {
			x.set(x.tagged(namespace, t, id), nil)
		}
	}
}

func hasTag(tags []*logpb.Tag, tag *logpb.Tag) bool {
	for _, t := range tags {
		if t.GetKey() == tag.GetKey() && t.GetValue() == tag.GetValue() {
			return true
		}
	}
	return false
}

func (x *index) named(namespace, name string, id job.ID) []byte {
	x.key = append(namespacedKey(x.key[:0], nameIndex, namespace), namePlace(name, id)...)
	return x.key
}

func (x *index) tagged(namespace string, t *logpb.Tag, id job.ID) []byte {
	x.key = tagKey(x.key[:0], namespace, job.Tag{Key: t.GetKey(), Value: t.GetValue()})
	x.key = binary.BigEndian.AppendUint64(x.key, uint64(id))
	return x.key
}

// ended adds an execution that has ended.
func (x *index) ended(namespace string, id job.ExecutionID, result logpb.Result, trigger logpb.Trigger) {
	x.key = appendPlace(wordKey(x.key[:0], endedIndex, namespace, byte(result)), id)
	x.set(x.key, []byte{byte(trigger)})
	if trigger != logpb.Trigger_TRIGGER_SCHEDULED {
		x.key = appendPlace(wordKey(x.key[:0], triggerIndex, namespace, byte(trigger)), id)
		x.set(x.key, nil)
	}
}

// gone removes an execution that had ended.
func (x *index) gone(namespace string, id job.ExecutionID, result logpb.Result, trigger logpb.Trigger) {
	x.key = appendPlace(wordKey(x.key[:0], endedIndex, namespace, byte(result)), id)
	x.remove(x.key)
	if trigger != logpb.Trigger_TRIGGER_SCHEDULED {
		x.key = appendPlace(wordKey(x.key[:0], triggerIndex, namespace, byte(trigger)), id)
		x.remove(x.key)
	}
}

// namespacedKey is [namedKeys] in a buffer.
func namespacedKey(key []byte, prefix, namespace string) []byte {
	key = binary.BigEndian.AppendUint32(append(key, prefix...), uint32(len(namespace)))
	return append(key, namespace...)
}

// wordKey begins the keys of a list that is known by a word's number.
func wordKey(key []byte, prefix, namespace string, word byte) []byte {
	return append(namespacedKey(key, prefix, namespace), word)
}

func tagKey(key []byte, namespace string, t job.Tag) []byte {
	key = namespacedKey(key, tagIndex, namespace)
	for _, s := range []string{t.Key, t.Value} {
		key = append(binary.BigEndian.AppendUint32(key, uint32(len(s))), s...)
	}
	return key
}

// appendPlace appends the place of an execution, the newest of which is first.
func appendPlace(key []byte, id job.ExecutionID) []byte {
	key = binary.BigEndian.AppendUint64(key, ^id.Order)
	return binary.BigEndian.AppendUint64(key, ^uint64(id.Job))
}

// How long the place of a job in the order of the IDs is, and that of an execution.
const (
	jobPlaceBytes = 8
	placeBytes    = 16
)

// namePlace is the place of a job in the order of the names.
func namePlace(name string, id job.ID) []byte {
	place := append(escaped(name), 0, 1)
	return binary.BigEndian.AppendUint64(place, uint64(id))
}

// escaped writes text so that its end can be told, and that it keeps its order.
func escaped(s string) []byte { return []byte(strings.ReplaceAll(s, "\x00", "\x00\xff")) }

// nameAt reads what namePlace writes, and returns what follows the name.
func nameAt(place []byte) (name string, rest []byte) {
	text, rest, _ := bytes.Cut(place, []byte{0, 1})
	return strings.ReplaceAll(string(text), "\x00\xff", "\x00"), rest
}

// executionAt reads what appendPlace writes.
func executionAt(place []byte) job.ExecutionID {
	return job.ExecutionID{Order: ^binary.BigEndian.Uint64(place), Job: ^job.ID(binary.BigEndian.Uint64(place[8:]))}
}

// hasEnded is [job.Result.Terminal] for the number that a record has.
func hasEnded(r logpb.Result) bool { return r > logpb.Result_RESULT_RETRYING }

// endOf reads the result and the trigger of a record, and nothing else of it.
func endOf(record []byte) (result logpb.Result, trigger logpb.Trigger, err error) {
	for len(record) > 0 {
		field, kind, n := protowire.ConsumeTag(record)
		if n < 0 {
			return 0, 0, fmt.Errorf("decode an execution: %w", protowire.ParseError(n))
		}
		record = record[n:]
		if n = protowire.ConsumeFieldValue(field, kind, record); n < 0 {
			return 0, 0, fmt.Errorf("decode an execution: %w", protowire.ParseError(n))
		}
		word, _ := protowire.ConsumeVarint(record)
		switch field {
		case triggerField:
			trigger = logpb.Trigger(word)
		case resultField:
			result = logpb.Result(word)
		}
		record = record[n:]
	}
	return result, trigger, nil
}
