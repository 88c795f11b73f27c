package fsm

import (
	"google.golang.org/protobuf/proto"

	"github.com/cronraft/cronraft/fsm/logpb"
	"github.com/cronraft/cronraft/internal/job"
)

// claims are the external IDs, as keys, that earlier parts of a decision take for
// a job, or give up, for zero, and that it has not written yet.
type claims map[string]job.ID

// refusals are what the parts of a decision come to that is applied whole or not
// at all; nil if none is refused.
func (t *tx) refusals(parts []job.PutJob) []job.Item {
	items, refused := make([]job.Item, len(parts)), false
	c, seen := claims{}, map[job.ID]bool{}
	for i, p := range parts {
		r, refusal := t.checkPut(p, c)
		if refusal == nil && seen[p.Job.ID] {
			refusal = job.Errorf(job.CodeConflict, "job %v is to be changed twice: change it once", p.Job.ID)
		}
		seen[p.Job.ID] = true
		if refusal != nil {
			items[i], refused = refuse(refusal), true
			continue
		}
		c.expect(t, r, p)
	}
	if !refused {
		return nil
	}
	for i := range items {
		if items[i].Err == nil {
			items[i] = refuse(job.ErrStale)
		}
	}
	return items
}

// expect adds what a change does to the external IDs.
func (c claims) expect(t *tx, r *row, p job.PutJob) {
	namespace := namespaceOf(r, p.Job)
	if r != nil {
		if old := t.definition(r.id).GetSpec().GetExternalId(); old != "" {
			c[string(externalKey(namespace, old))] = 0
		}
	}
	if !p.Delete && p.Job.ExternalID != "" {
		c[string(externalKey(namespace, p.Job.ExternalID))] = p.Job.ID
	}
}

// checkExternalID refuses an external ID that another job of the namespace has.
func (t *tx) checkExternalID(j job.Job, namespace string, c claims) *job.Error {
	if j.ExternalID == "" {
		return nil
	}
	key := externalKey(namespace, j.ExternalID)
	owner, claimed := c[string(key)]
	if !claimed {
		t.get(key, func(value []byte) (err error) {
			owner, err = readJobRef(value)
			return err
		})
	}
	if owner != 0 && owner != j.ID {
		return job.Errorf(job.CodeConflict, "job %v has the external ID %q already: change that job, or choose another ID", owner, j.ExternalID)
	}
	return nil
}

// claim gives a job its external ID in the place of the old one; none is empty.
func (t *tx) claim(r *row, old, now string) {
	if old == now {
		return
	}
	if old != "" {
		t.delete(externalKey(r.GetNamespace(), old))
	}
	if now != "" {
		t.put(externalKey(r.GetNamespace(), now), &logpb.JobRef{Job: uint64(r.id)})
	}
}

func readJobRef(value []byte) (job.ID, error) {
	var p logpb.JobRef
	err := proto.Unmarshal(value, &p)
	return job.ID(p.GetJob()), err
}

// JobByExternalID is the job of a namespace that has an external ID;
// [job.ErrNotFound] if none has.
func (s *Store) JobByExternalID(namespace, externalID string) (j job.Job, err error) {
	err = s.view(func(st *state) error {
		var id job.ID
		err := st.get(externalKey(namespace, externalID), func(value []byte) (err error) {
			id, err = readJobRef(value)
			return err
		})
		if err == nil {
			j, err = st.job(id)
		}
		return err
	})
	return j, err
}
