package fsm

import (
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/cronraft/cronraft/fsm/logpb"
	"github.com/cronraft/cronraft/internal/job"
)

// init founds the cluster.
func (t *tx) init(d job.Init) job.Item {
	if t.state.clusterID != "" {
		return refuse(job.ErrStale)
	}
	t.put(clusterKey, &logpb.Cluster{Id: d.ClusterID})
	t.state.clusterID = d.ClusterID
	t.putKey(d.RootKey)
	return job.Item{}
}

func (t *tx) putKey(k job.APIKey) {
	t.put(keyByHashKey(k.Hash[:]), t.w.key(k))
	t.put(keyByIDKey(k.ID), &logpb.KeyHash{Hash: k.Hash[:]})
}

// putJob creates a job, or replaces the definition of one.
func (t *tx) putJob(at time.Time, p job.PutJob) job.Item {
	j := p.Job
	if j.State != job.Active {
		j.NextRunAt = time.Time{}
	}
	if j.Version == 0 {
		return t.createJob(at, j)
	}
	return t.replaceJob(at, j, p.KeepNextRun)
}

func (t *tx) createJob(at time.Time, j job.Job) job.Item {
	if t.has(stateKey(j.ID)) {
		return refuse(job.Errorf(job.CodeConflict, "there is a job %v already", j.ID))
	}
	if j.Namespace == "" {
		j.Namespace = job.DefaultNamespace
	}
	if j.CreatedAt.IsZero() {
		j.CreatedAt = at
	}
	r := newRow(j.ID, &logpb.JobState{Namespace: j.Namespace})
	t.define(at, r, j)
	check("write the state", t.batch.Set(namespaceKey(j.Namespace, j.ID), nil, nil))
	return job.Item{}
}

func (t *tx) replaceJob(at time.Time, j job.Job, keepNextRun bool) job.Item {
	r, refusal := t.owned(j.ID, j.Namespace, j.Version)
	if refusal != nil {
		return refuse(refusal)
	}
	var old logpb.Definition
	t.get(definitionKey(r.id), func(value []byte) error { return proto.Unmarshal(value, &old) })
	j.KeyID, j.CreatedAt = old.GetKeyId(), instant(old.GetCreatedAt())
	if keepNextRun && j.State == job.Active && r.due != 0 {
		j.NextRunAt = instant(r.due)
	}
	t.define(at, r, j)
	return job.Item{}
}

// define writes what the user decides of a job.
func (t *tx) define(at time.Time, r *row, j job.Job) {
	r.Version++
	r.State = number[logpb.State](&t.w, states, j.State)
	r.Overlap = number[logpb.OverlapPolicy](&t.w, overlaps, j.Overlap)
	r.NextRunAt = millis(j.NextRunAt)
	j.UpdatedAt = at
	t.put(definitionKey(r.id), t.w.definition(j))
	t.save(r)
}

// owned reads the state of a job that a caller of the namespace wants to change
// at the version. An empty namespace is any, and so is version zero.
func (t *tx) owned(id job.ID, namespace string, version uint64) (*row, *job.Error) {
	r := t.row(id)
	switch {
	case r == nil || namespace != "" && namespace != r.GetNamespace():
		return nil, job.Errorf(job.CodeNotFound, "there is no job %v", id)
	case version != 0 && version != r.GetVersion():
		return nil, job.Errorf(job.CodePreconditionFailed,
			"job %v has version %d, not %d: read it again, and decide again", id, r.GetVersion(), version)
	}
	return r, nil
}

// deleteJob removes a job with its history. Requests that may be open are
// aborted, and their executions stay open until that is known to have happened.
func (t *tx) deleteJob(d job.DeleteJob) job.Item {
	r, refusal := t.owned(d.ID, d.Namespace, d.Version)
	if refusal != nil {
		return refuse(refusal)
	}
	t.delete(definitionKey(r.id))
	t.delete(stateKey(r.id))
	t.delete(namespaceKey(r.GetNamespace(), r.id))
	if r.GetRecords() > 0 {
		records := jobKey(executionPrefix, r.id)
		check("write the state", t.batch.DeleteRange(records, afterAll(records), nil))
	}
	t.reschedule(r, 0)
	for _, x := range t.state.opens.ofJob(r.id) {
		t.abort(x)
	}
	return job.Item{}
}
