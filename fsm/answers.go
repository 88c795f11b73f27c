package fsm

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/cronraft/cronraft/fsm/logpb"
	"github.com/cronraft/cronraft/internal/job"
)

// Answers are kept under the hash of the caller's key, and in an index by time,
// in which the oldest ones are found. Each has exactly one entry in the index.

// repeatable is a write that its caller may repeat.
type repeatable struct {
	*job.Once
	at    time.Time
	parts int
}

// repeatableOf has no Once for a decision that was not made for a caller, or for
// one who does not repeat it.
func repeatableOf(d job.Decision) repeatable {
	switch d := d.(type) {
	case job.PutJobs:
		return repeatable{d.Once, d.At, len(d.Jobs)}
	case job.Run:
		return repeatable{d.Once, d.At, 1}
	case job.Cancel:
		return repeatable{d.Once, d.At, 1}
	case job.Backfill:
		return repeatable{d.Once, d.At, 1}
	case job.PutKey:
		return repeatable{d.Once, d.At, 1}
	case job.TryHook:
		return repeatable{d.Once, d.At, 1}
	}
	return repeatable{}
}

// once applies a decision, unless it repeats one.
func (t *tx) once(d job.Decision, a *job.Applied) {
	r := repeatableOf(d)
	if r.Once == nil {
		t.apply(d, a)
		return
	}
	first := t.answer(r.Key)
	switch {
	case first == nil || expired(first, r.at):
		t.apply(d, a)
		t.keepAnswer(r, first, a.Items)
	case string(first.GetRequest()) == string(r.Request[:]):
		a.Answer = first.GetAnswer()
	default:
		a.Items = make([]job.Item, r.parts)
		for i := range a.Items {
			a.Items[i] = refuse(job.ErrIdempotencyMismatch)
		}
	}
}

// answer reads what a write with the key was answered; nil if there is none.
func (t *tx) answer(key [32]byte) *logpb.Answer {
	var p *logpb.Answer
	t.get(answerKey(key[:]), func(value []byte) error {
		p = &logpb.Answer{}
		if err := proto.Unmarshal(value, p); err != nil {
			return fmt.Errorf("decode an answer: %w", err)
		}
		return nil
	})
	return p
}

// expired reports whether an answer counts as absent at a time, though nobody
// has pruned it yet.
func expired(p *logpb.Answer, at time.Time) bool { return at.Sub(instant(p.GetAt())) > job.OnceFor }

// keepAnswer keeps the answer of a write no part of which was refused. It takes
// the place of an expired one, nil for none.
func (t *tx) keepAnswer(r repeatable, expired *logpb.Answer, items []job.Item) {
	for _, item := range items {
		if item.Err != nil {
			return
		}
	}
	if expired != nil {
		t.delete(answerTimeKey(expired.GetAt(), r.Key[:]))
	}
	at := millis(r.at)
	t.put(answerKey(r.Key[:]), &logpb.Answer{At: at, Request: r.Request[:], Answer: r.Answer})
	check("write the state", t.batch.Set(answerTimeKey(at, r.Key[:]), nil, nil))
}

// pruneAnswers removes a page of old answers, the oldest first, and reports
// whether it has left some. The time is [job.OnceFor] ago. With the last page go the
// statistics that are older than [job.StatsFor].
func (t *tx) pruneAnswers(d job.PruneAnswers) (more bool) {
	removed := 0
	t.scan([]byte(answerTimePrefix), answerTimeKey(millis(d.Before), nil), func(key, _ []byte) bool {
		if more = removed >= max(d.Limit, 1); more {
			return false
		}
		t.delete(answerKey(answerOf(key)))
		t.delete(key)
		removed++
		return true
	})
	if !more {
		t.pruneMinutes(d.Before.Add(job.OnceFor - job.StatsFor))
	}
	return more
}
