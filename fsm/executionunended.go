package fsm

import (
	"cmp"
	"fmt"

	"github.com/tidwall/btree"

	"github.com/cronraft/cronraft/internal/job"
)

// unended has the executions that have no result yet, but not those of webhooks:
// those that lists show and the index does not have. The store's lock guards it.
type unended struct {
	tree       *btree.BTreeG[unendedOne]
	namespaces map[job.ExecutionID]string
}

// unendedOne sorts by namespace, and newest first.
type unendedOne struct {
	namespace string
	id        job.ExecutionID
}

func newUnended() *unended {
	less := func(a, b unendedOne) bool {
		return cmp.Or(cmp.Compare(a.namespace, b.namespace), compareNewest(a.id, b.id)) < 0
	}
	return &unended{
		tree:       btree.NewBTreeGOptions(less, btree.Options{NoLocks: true}),
		namespaces: map[job.ExecutionID]string{},
	}
}

// compareNewest is the order of lists.
func compareNewest(a, b job.ExecutionID) int {
	return cmp.Or(cmp.Compare(b.Order, a.Order), cmp.Compare(b.Job, a.Job))
}

func (u *unended) put(namespace string, id job.ExecutionID) {
	u.remove(id)
	u.namespaces[id] = namespace
	u.tree.Set(unendedOne{namespace, id})
}

func (u *unended) remove(id job.ExecutionID) {
	namespace, ok := u.namespaces[id]
	if !ok {
		return
	}
	delete(u.namespaces, id)
	u.tree.Delete(unendedOne{namespace, id})
}

// ascend visits those of a namespace that are not before a place, newest first,
// until visit returns false.
func (u *unended) ascend(namespace string, from job.ExecutionID, visit func(job.ExecutionID) bool) {
	u.tree.Ascend(unendedOne{namespace, from}, func(x unendedOne) bool {
		return x.namespace == namespace && visit(x.id)
	})
}

// spaces are the namespaces that have any.
func (u *unended) spaces() []string {
	var list []string
	next := ""
	for found := true; found; {
		found = false
		u.tree.Ascend(unendedOne{next, newestID}, func(x unendedOne) bool {
			list, next, found = append(list, x.namespace), x.namespace+"\x00", true
			return false
		})
	}
	return list
}

// loadUnended finds them among the open executions.
func (st *state) loadUnended() error {
	for _, x := range st.opens.all() {
		if !unfinished(x.Phase) {
			continue
		}
		err := st.get(stateKey(x.Execution.Job), func(value []byte) error {
			p, err := readState(value)
			if err == nil && !p.GetHook() {
				st.unended.put(p.GetNamespace(), x.Execution)
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("%v is open: %w", x.Execution, err)
		}
	}
	return nil
}

// newestID is before every other execution in a list.
var newestID = job.ExecutionID{Job: ^job.ID(0), Order: ^uint64(0)}
