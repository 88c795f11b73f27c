package fsm

import (
	"cmp"
	"slices"
	"time"

	"github.com/tidwall/btree"

	"github.com/cronraft/cronraft/internal/job"
)

// due is one entry of the agenda: an ACTIVE job, its next slot, and when that is
// to be fired, in Unix milliseconds.
type due struct {
	at   int64
	job  job.ID
	slot int64
}

func compareDue(a, b due) int {
	return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.job, b.job))
}

// agenda has every job that will be due, in order. The store's lock guards it.
type agenda struct{ tree *btree.BTreeG[due] }

// newAgenda takes the entries, in any order, and owns them.
func newAgenda(entries []due) *agenda {
	slices.SortFunc(entries, compareDue)
	less := func(a, b due) bool { return compareDue(a, b) < 0 }
	tree := btree.NewBTreeGOptions(less, btree.Options{NoLocks: true})
	for _, d := range entries {
		tree.Load(d)
	}
	return &agenda{tree: tree}
}

func (a *agenda) add(d due) { a.tree.Set(d) }

func (a *agenda) remove(d due) { a.tree.Delete(d) }

// Due returns the jobs whose next slot is due by now, in the order of (due time, ID),
// without those that skip names: the caller's decisions under way. Skip must not
// call the store.
func (s *Store) Due(now time.Time, limit int, skip func(job.ID) bool) []job.DueSlot {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var slots []job.DueSlot
	until := now.UnixMilli()
	s.state.agenda.tree.Scan(func(d due) bool {
		if d.at > until || len(slots) >= limit {
			return false
		}
		if skip == nil || !skip(d.job) {
			slots = append(slots, job.DueSlot{Job: d.job, Slot: instant(d.slot), Due: instant(d.at)})
		}
		return true
	})
	return slots
}

// AgendaLen is how many jobs wait for their next slot.
func (s *Store) AgendaLen() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.state.agenda.tree.Len()
}
