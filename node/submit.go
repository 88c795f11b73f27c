package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/cronraft/cronraft/fsm"
	"github.com/cronraft/cronraft/internal/job"
)

// enqueueTimeout bounds how long a decision waits to enter raft's queue.
const enqueueTimeout = 5 * time.Second

// anyTerm lets a decision be applied in whatever term it gets into the log.
const anyTerm = 0

// submitter commits decisions while this node leads.
type submitter struct {
	raft *raft.Raft
	// commitSeconds observes how long a commit and its apply took.
	commitSeconds func(float64)
}

// Submit returns once the decision is committed and applied here.
// [job.ErrNotLeader]: it was not submitted. [job.ErrOutcomeUnknown]: it may or
// may not take effect. The context is not heeded once the entry is with raft: an
// answer is always near, since a leader that hears no majority steps down.
func (s *submitter) Submit(ctx context.Context, d job.Decision) (job.Applied, error) {
	return s.submit(ctx, d, anyTerm)
}

func (s *submitter) submit(ctx context.Context, d job.Decision, term uint64) (job.Applied, error) {
	if err := ctx.Err(); err != nil {
		return job.Applied{}, err
	}
	entry, err := fsm.Encode(d, term)
	if err != nil {
		return job.Applied{}, fmt.Errorf("encode %T: %w", d, err)
	}
	began := time.Now()
	future := s.raft.Apply(entry, enqueueTimeout)
	if err := future.Error(); err != nil {
		return job.Applied{}, submitError(err)
	}
	s.commitSeconds(time.Since(began).Seconds())
	applied, ok := future.Response().(*job.Applied)
	if !ok {
		return job.Applied{}, fmt.Errorf("apply answered %T", future.Response())
	}
	if applied.WrongTerm {
		return job.Applied{}, job.ErrNotLeader
	}
	return *applied, nil
}

// during is the log for one term: what is submitted after the term has ended is
// refused, in Apply at the latest, even if this node leads again by then.
func (s *submitter) during(term uint64) termLog { return termLog{s, term} }

type termLog struct {
	log  *submitter
	term uint64
}

// Submit is [submitter.Submit] within the term; [job.ErrNotLeader] after it.
func (l termLog) Submit(ctx context.Context, d job.Decision) (job.Applied, error) {
	return l.log.submit(ctx, d, l.term)
}

// submitError sorts raft's errors into "never entered the log" and "unknown": even
// an entry whose write failed may be found on the disk again (rule D7).
func submitError(err error) error {
	if errors.Is(err, raft.ErrNotLeader) || errors.Is(err, raft.ErrLeadershipTransferInProgress) {
		return job.ErrNotLeader
	}
	return fmt.Errorf("%w (submit: %w)", job.ErrOutcomeUnknown, err)
}
