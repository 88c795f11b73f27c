package node

import (
	"errors"
	"fmt"

	"github.com/cronraft/cronraft/fsm"
	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/internal/secret"
)

// assignments turns open executions into what an executor needs, with secrets
// opened.
type assignments struct {
	store  *fsm.Store
	secret *secret.Cluster
}

// Job is the job as it stands; [job.ErrNotFound] if it was deleted.
func (a assignments) Job(id job.ID) (job.Job, error) { return a.store.Job(id) }

// Open is the open execution; false if it is over.
func (a assignments) Open(id job.ExecutionID) (job.Open, bool) { return a.store.OpenExecution(id) }

// OpenOf are the open executions of a job.
func (a assignments) OpenOf(id job.ID) []job.Open { return a.store.OpenOf(id) }

// Assignment is the current attempt of o, complete; [job.ErrNotFound] if its job
// was deleted.
func (a assignments) Assignment(o job.Open) (job.Assignment, error) {
	j, err := a.store.Job(o.Execution.Job)
	if err != nil {
		return job.Assignment{}, err
	}
	target := j.Target
	if target.Headers, err = openHeaders(a.secret, j); err != nil {
		return job.Assignment{}, err
	}
	keys, err := a.signingKeys(j)
	if err != nil {
		return job.Assignment{}, err
	}
	return job.Assignment{
		AttemptRef:  job.AttemptRef{Execution: o.Execution, Attempt: o.Attempt},
		Incarnation: o.Node.Incarnation, Trigger: o.Trigger, ScheduledAt: o.ScheduledAt,
		Target: target, Timeout: j.Timeout, SuccessStatuses: j.SuccessStatuses, FollowRedirects: j.FollowRedirects,
		Capture: j.Capture, SigningKeys: keys,
	}, nil
}

func (a assignments) signingKeys(j job.Job) ([]string, error) {
	if !j.SignPayloads {
		return nil, nil
	}
	key, err := a.store.Key(j.KeyID)
	if errors.Is(err, job.ErrNotFound) {
		return nil, fmt.Errorf("job %v is to be signed with key %s, which is gone", j.ID, j.KeyID)
	}
	if err != nil {
		return nil, err
	}
	plain, err := a.secret.Open(key.Sealed, keyScope(key.ID))
	if err != nil {
		return nil, fmt.Errorf("open API key %s: %w", key.ID, err)
	}
	return []string{string(plain)}, nil
}

// openHeaders are the job's headers in plain text.
func openHeaders(s *secret.Cluster, j job.Job) ([]job.Header, error) {
	var out []job.Header
	for _, h := range j.Target.Headers {
		plain, err := s.Open(h.Sealed, headerScope(j.ID, h.Name))
		if err != nil {
			return nil, fmt.Errorf("open header %s of job %v: %w", h.Name, j.ID, err)
		}
		out = append(out, job.Header{Name: h.Name, Value: string(plain)})
	}
	return out, nil
}

// sealHeaders seals the values that are new; one that is already sealed is
// kept.
func sealHeaders(s *secret.Cluster, id job.ID, headers []job.Header) ([]job.Header, error) {
	var out []job.Header
	for _, h := range headers {
		if h.Sealed != nil {
			out = append(out, job.Header{Name: h.Name, Sealed: h.Sealed})
			continue
		}
		sealed, err := s.Seal([]byte(h.Value), headerScope(id, h.Name))
		if err != nil {
			return nil, fmt.Errorf("seal header %s: %w", h.Name, err)
		}
		out = append(out, job.Header{Name: h.Name, Sealed: sealed})
	}
	return out, nil
}
