package executor

import (
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// How long, and how many of, the acknowledged attempts are remembered. The count
// is reached first on a busy node: at 3000 attempts a second it is 40 seconds,
// still far more than a message can be late.
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
}

type remembered struct {
	job.AttemptRef
	at time.Time
}

func newMemory() memory { return memory{highest: map[job.ExecutionID]int{}} }

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
		if len(m.order)-m.head < rememberCount && now.Sub(oldest.at) < rememberFor {
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
