package node

import (
	"errors"
	"fmt"
	"time"

	"github.com/cronraft/cronraft/fsm"
	"github.com/cronraft/cronraft/internal/event"
	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/internal/secret"
)

// assignments turns open executions into what an executor needs, with secrets
// opened.
type assignments struct {
	store  *fsm.Store
	secret *secret.Cluster
	// now is the wall clock.
	now func() time.Time
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
	target, err := a.target(j, o.Execution)
	if err != nil {
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

// target is what the execution requests. A webhook's body is the event.
func (a assignments) target(j job.Job, id job.ExecutionID) (job.Target, error) {
	t := j.Target
	var err error
	if t.Headers, err = openHeaders(a.secret, j); err != nil || j.Hook == nil {
		return t, err
	}
	x, err := a.store.Execution(id)
	if err == nil && x.Event == nil {
		err = errors.New("its record has no event")
	}
	if err != nil {
		// Not [job.ErrNotFound], which would be taken for a webhook that was deleted.
		return t, fmt.Errorf("read the event of delivery %v: %v", id, err)
	}
	text, err := event.Encode(*x.Event)
	body := string(text)
	t.Body = &body
	return t, err
}

// signingKeys are those of the API key that made the job, newest first. A key that
// has expired still signs: its jobs go on. One that was revoked by force signs no
// more, and then nothing does.
func (a assignments) signingKeys(j job.Job) ([]string, error) {
	if !j.SignPayloads {
		return nil, nil
	}
	key, err := a.store.Key(j.KeyID)
	if errors.Is(err, job.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	secrets := []job.Secret{key.Secret}
	if a.now().Before(key.PreviousUntil) {
		secrets = append(secrets, key.Previous)
	}
	var keys []string
	for _, s := range secrets {
		plain, err := a.secret.Open(s.Sealed, keyScope(key.ID))
		if err != nil {
			return nil, fmt.Errorf("open API key %s: %w", key.ID, err)
		}
		keys = append(keys, string(plain))
	}
	return keys, nil
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
