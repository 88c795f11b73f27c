package fsm

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"google.golang.org/protobuf/proto"

	"github.com/cronraft/cronraft/fsm/logpb"
	"github.com/cronraft/cronraft/internal/job"
)

// Statistics are kept by the minute in which executions ended, for each namespace
// and once more for all of them together, which has the empty name. They are
// replicated; entries before version 3 of the log leave none.

const statsPrefix = "b/"

// minute is a minute of a namespace, by its number since the Unix epoch.
type minute struct {
	namespace string
	number    uint64
}

func minuteOf(t time.Time) uint64 { return uint64(max(0, t.Unix()) / 60) }

func minuteKey(m minute) []byte {
	return binary.BigEndian.AppendUint64(namespacedKey(nil, statsPrefix, m.namespace), m.number)
}

// countEnd counts an execution that has ended, unless it is a delivery. A minute is
// read and written once for all the entries of a batch.
func (t *tx) countEnd(r *row, x *job.Execution) {
	if r.GetHook() || !t.isThird() {
		return
	}
	number := minuteOf(x.FinishedAt)
	countIn(t.minute(minute{r.GetNamespace(), number}), x)
	countIn(t.minute(minute{"", number}), x)
}

// minute reads a minute that is to be changed.
func (t *tx) minute(m minute) *job.Stats {
	if s, ok := t.minutes[m]; ok {
		return s
	}
	s := &job.Stats{}
	t.get(minuteKey(m), func(value []byte) (err error) {
		*s, err = readMinute(value)
		return err
	})
	if t.minutes == nil {
		t.minutes = map[minute]*job.Stats{}
	}
	t.minutes[m] = s
	return s
}

// plausible is when an execution ended by the clock of its node: from version 3 of the
// log on not before it was made, nor after the entry that tells its end. Statistics
// and retention go by it, and a node's clock may be wrong.
func (t *tx) plausible(end, made, told time.Time) time.Time {
	if !t.isThird() {
		return end
	}
	if end.After(told) {
		end = told
	}
	if end.Before(made) {
		end = made
	}
	return end
}

func countIn(s *job.Stats, x *job.Execution) {
	switch x.Result {
	case job.Success:
		s.Success++
	case job.Failed:
		s.Failed++
	case job.Skipped:
		s.Skipped++
	case job.Missed:
		s.Missed += int64(x.MissedCount)
	case job.Cancelled:
		s.Cancelled++
	}
	if n := len(x.Attempts); n > 0 { // the record keeps the newest ones
		s.Attempts += int64(x.Attempts[n-1].Number)
	}
	// Only what has a slot of its own can be late.
	if late, ok := x.Lateness(); ok && x.Trigger == job.TriggerScheduled {
		s.Lateness.Note(late)
	}
}

// writeMinutes writes the minutes that have changed.
func (t *tx) writeMinutes() {
	changed := make([]minute, 0, len(t.minutes))
	for m := range t.minutes { // order-free: sorted below
		changed = append(changed, m)
	}
	slices.SortFunc(changed, func(a, b minute) int {
		return cmp.Or(cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.number, b.number))
	})
	for _, m := range changed {
		t.put(minuteKey(m), writeMinute(t.minutes[m]))
	}
	t.minutes = nil
}

func writeMinute(s *job.Stats) *logpb.Minute {
	buckets := len(s.Lateness)
	for buckets > 0 && s.Lateness[buckets-1] == 0 {
		buckets--
	}
	return &logpb.Minute{
		Success:   s.Success,
		Failed:    s.Failed,
		Skipped:   s.Skipped,
		Missed:    s.Missed,
		Cancelled: s.Cancelled,
		Attempts:  s.Attempts,
		Lateness:  s.Lateness[:buckets],
	}
}

// pruneMinutes removes the minutes that ended before a time: one look, and at most
// one deletion of a range, for each namespace.
func (t *tx) pruneMinutes(before time.Time) {
	t.writeMinutes()
	it, err := t.batch.NewIter(&pebble.IterOptions{LowerBound: []byte(statsPrefix), UpperBound: afterAll([]byte(statsPrefix))})
	check("read the state", err)
	for ok := it.First(); ok; {
		oldest := minuteAt(it.Key())
		if end := (minute{oldest.namespace, minuteOf(before)}); oldest.number < end.number {
			check("write the state", t.batch.DeleteRange(minuteKey(minute{oldest.namespace, 0}), minuteKey(end), nil))
		}
		ok = it.SeekGE(afterAll(namespacedKey(nil, statsPrefix, oldest.namespace)))
	}
	check("read the state", errors.Join(it.Error(), it.Close()))
}

// minuteAt reads what minuteKey writes.
func minuteAt(key []byte) minute {
	end := len(key) - 8
	return minute{string(key[len(statsPrefix)+4 : end]), binary.BigEndian.Uint64(key[end:])}
}

// maxSteps is how many steps one answer may have.
const maxSteps = 100_000

// Stats tells what became of the executions that ended in a time, oldest step
// first. The time is taken in whole minutes, and the last step may be shorter.
func (s *Store) Stats(q job.StatsQuery) ([]job.Stats, error) {
	from := q.From.UTC().Truncate(time.Minute)
	switch {
	case q.Step < time.Minute || q.Step%time.Minute != 0:
		return nil, job.Errorf(job.CodeValidation, "a step of statistics is a whole number of minutes, not %v", q.Step)
	case !from.Before(q.To):
		return nil, nil
	case q.To.Sub(from)/q.Step >= maxSteps:
		return nil, job.Errorf(job.CodeValidation, "statistics have at most %d steps: ask for less time, or for longer steps", maxSteps)
	}
	var steps []job.Stats
	for at := from; at.Before(q.To); at = at.Add(q.Step) {
		steps = append(steps, job.Stats{At: at})
	}
	err := s.reading(func(r *reading) error {
		lower := minuteKey(minute{q.Namespace, minuteOf(from)})
		upper := minuteKey(minute{q.Namespace, minuteOf(q.To.Add(time.Minute - 1))})
		return r.scan(lower, upper, func(key, value []byte) error {
			of, err := readMinute(value)
			at := time.Unix(int64(minuteAt(key).number)*60, 0)
			steps[at.Sub(from)/q.Step].Add(&of)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read statistics: %w", err)
	}
	return steps, nil
}

func readMinute(value []byte) (s job.Stats, err error) {
	var p logpb.Minute
	if err := proto.Unmarshal(value, &p); err != nil {
		return s, fmt.Errorf("decode a minute: %w", err)
	}
	s.Counts = job.Counts{
		Success:   p.GetSuccess(),
		Failed:    p.GetFailed(),
		Skipped:   p.GetSkipped(),
		Missed:    p.GetMissed(),
		Cancelled: p.GetCancelled(),
	}
	s.Attempts = p.GetAttempts()
	copy(s.Lateness[:], p.GetLateness())
	return s, nil
}
