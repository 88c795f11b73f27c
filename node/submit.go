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

// refusalPause is how long a term's decision waits on a full disk before it is
// refused: whoever decided tries again at once.
const refusalPause = time.Second

// submitter commits decisions while this node leads.
type submitter struct {
	raft *raft.Raft
	// version is the newest version of log entries that every member can read.
	version func() int
	disk    *disk
	// confirm proves that a term is in office.
	confirm func(ctx context.Context, term uint64) error
	// commitSeconds observes how long a commit and its apply took.
	commitSeconds func(float64)
}

// Submit returns once the decision is committed and applied here.
// [job.ErrNotLeader]: it was not submitted. [job.ErrOutcomeUnknown]: it may or
// may not take effect, also if ctx ends while the entry is with raft. Further
// [job.ErrOldMember] and [errDiskFull], after which nothing was submitted either.
func (s *submitter) Submit(ctx context.Context, d job.Decision) (job.Applied, error) {
	if err := s.disk.refusal(); err != nil {
		return job.Applied{}, err
	}
	return s.submit(ctx, d, anyTerm)
}

func (s *submitter) submit(ctx context.Context, d job.Decision, term uint64) (job.Applied, error) {
	if err := ctx.Err(); err != nil {
		return job.Applied{}, err
	}
	if _, raises := d.(job.RaiseVersion); !raises && fsm.VersionOf(d) > s.version() {
		return job.Applied{}, job.ErrOldMember
	}
	entry, err := fsm.Encode(d, term)
	if err != nil {
		return job.Applied{}, fmt.Errorf("encode %T: %w", d, err)
	}
	began := time.Now()
	var future raft.ApplyFuture
	err = await(ctx, func() error {
		future = s.raft.Apply(entry, enqueueTimeout)
		return future.Error()
	})
	if err != nil {
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

// Submit is [submitter.Submit] within the term; [job.ErrNotLeader] after it. To take
// office is possible even on a full disk: somebody has to lead for the state to be
// read.
func (l termLog) Submit(ctx context.Context, d job.Decision) (job.Applied, error) {
	if _, begins := d.(job.TakeOffice); !begins {
		if err := l.room(ctx); err != nil {
			return job.Applied{}, err
		}
	}
	return l.log.submit(ctx, d, l.term)
}

// room waits a while for room on a full disk.
func (l termLog) room(ctx context.Context) error {
	if l.log.disk.refusal() == nil {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(refusalPause):
		return l.log.disk.refusal()
	}
}

// Confirm returns nil once a majority has confirmed, after the call, that the term
// is in office; [job.ErrNotLeader] if it is over.
func (l termLog) Confirm(ctx context.Context) error { return l.log.confirm(ctx, l.term) }

// submitError sorts raft's errors into "never entered the log" and "unknown": even
// an entry whose write failed may be found on the disk again (rule D7). One that
// raft forgot to answer, or could not in time, is unknown too.
func submitError(err error) error {
	if errors.Is(err, raft.ErrNotLeader) || errors.Is(err, raft.ErrLeadershipTransferInProgress) {
		return job.ErrNotLeader
	}
	return fmt.Errorf("%w (submit: %w)", job.ErrOutcomeUnknown, err)
}
