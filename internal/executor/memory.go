package executor

import (
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// How long, and how many of, the acknowledged attempts are remembered. The count
// is reached first on a busy node: at 3000 attempts a second it is 40 seconds. It
// gives way to what [memory.keepFor] asks.
const (
	rememberFor   = 10 * time.Minute
	rememberCount = 1 << 17
)

// memory knows the attempts that were acknowledged lately: for each execution the
// highest one. A lower attempt of the same execution counts as known, since it
// was over before the higher one began.
type memory struct {
	highest map[job.ExecutionID]int
	order   []remembered // oldest first, from head on
	head    int
	atLeast time.Duration // none is forgotten before, however many there are
}

type remembered struct {
	job.AttemptRef
	at time.Time
}

func newMemory() memory { return memory{highest: map[job.ExecutionID]int{}} }

// keepFor makes the memory keep everything for at least d. Twice the lease is
// enough for ever: whoever assigns an acknowledged attempt decided so before it was
// acknowledged, or a moment later without knowing it, and rests on a reply as old;
// by the time that the attempt is forgotten such a batch is refused.
func (m *memory) keepFor(d time.Duration) { m.atLeast = max(m.atLeast, d) }

func (m *memory) knows(ref job.AttemptRef) bool {
	n, ok := m.highest[ref.Execution]
	return ok && n >= ref.Attempt
}

func (m *memory) add(ref job.AttemptRef, now time.Time) {
	m.forget(now)
	if m.knows(ref) {
		return
	}
	m.highest[ref.Execution] = ref.Attempt
	m.order = append(m.order, remembered{AttemptRef: ref, at: now})
}

// forget drops what is too old, and one more if there would be too many.
func (m *memory) forget(now time.Time) {
	for m.head < len(m.order) {
		oldest := m.order[m.head]
		age, many := now.Sub(oldest.at), len(m.order)-m.head >= rememberCount
		if age < m.atLeast || age < rememberFor && !many {
			break
		}
		m.head++
		if m.highest[oldest.Execution] == oldest.Attempt {
			delete(m.highest, oldest.Execution)
		}
	}
	if m.head > len(m.order)/2 {
		m.order = append(m.order[:0], m.order[m.head:]...)
		m.head = 0
	}
}
