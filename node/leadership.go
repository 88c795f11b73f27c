package node

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/cronraft/cronraft/internal/group"
	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/scheduler"
)

// leadership turns raft's signals into terms, one at a time.
type leadership struct {
	raft   *raft.Raft
	log    *submitter
	node   job.NodeRef // this one
	logger *slog.Logger
	// patience bounds the wait for another node to take over.
	patience time.Duration
	// now is the wall clock.
	now func() time.Time
	// newTerm builds the scheduler's object for a term, and a function that
	// releases what was made for it.
	newTerm func(number uint64) (t *scheduler.Term, release func())
	// found makes sure that the cluster has an ID and a root key.
	found func(ctx context.Context) error
	// members keeps raft's configuration in step with gossip during a term.
	members *membership

	metrics *metrics
	// current is the term in office, nil while this node does not lead or its
	// term has not begun.
	current atomic.Pointer[office]
}

// office is a term that has begun.
type office struct {
	*scheduler.Term
	number uint64 // raft's
}

// resumePause is how long a leader waits that could neither begin its term nor
// hand leadership on.
const resumePause = time.Second

// run ends when ctx does, with every term stopped.
func (l *leadership) run(ctx context.Context) error {
	stop := func() {}
	defer func() { stop() }()
	for {
		select {
		case <-ctx.Done():
			return nil
		case leads := <-l.raft.LeaderCh():
			// A second true in a row means lost and regained: the old term ends
			// before a new one begins.
			stop()
			stop = func() {}
			if leads {
				g := group.New(ctx)
				g.Go(l.term)
				stop = func() { _ = g.Stop() } // term returns no error
			}
		}
	}
}

// term is one time in office, from the first entry to the loss of leadership. A
// term that cannot begin, or go on, hands leadership on; if nobody takes it, the
// node tries again, for raft will not tell it once more that it leads.
func (l *leadership) term(ctx context.Context) error {
	l.metrics.leader.Set(1)
	l.metrics.leaderChanges.Inc()
	defer l.metrics.leader.Set(0)
	for ctx.Err() == nil && l.raft.State() == raft.Leader {
		number := l.raft.CurrentTerm()
		logger := l.logger.With("term", number)
		err := l.serve(ctx, number, logger)
		if ctx.Err() != nil {
			return nil
		}
		logger.Warn("the term cannot go on; handing leadership on", "err", err)
		l.resign(ctx, number, logger)
		select {
		case <-ctx.Done():
		case <-time.After(resumePause):
		}
	}
	return nil
}

// resign hands the numbered term's leadership on, and no later one's.
func (l *leadership) resign(ctx context.Context, number uint64, logger *slog.Logger) {
	if l.raft.State() != raft.Leader || l.raft.CurrentTerm() != number {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, l.patience)
	defer cancel()
	if err := await(ctx, func() error { return l.raft.LeadershipTransfer().Error() }); err != nil {
		logger.Info("nobody took over leadership", "err", err)
	}
}

func (l *leadership) serve(ctx context.Context, number uint64, logger *slog.Logger) error {
	// Not raft's own barrier: a read index must name an entry that the state
	// machine sees, and raft keeps no-ops and barriers to itself.
	if _, err := l.log.during(number).Submit(ctx, job.TakeOffice{At: job.Instant(l.now()), Node: l.node}); err != nil {
		return fmt.Errorf("take office: %w", err)
	}
	if err := l.found(ctx); err != nil {
		return fmt.Errorf("found the cluster: %w", err)
	}
	if err := l.members.begin(ctx); err != nil {
		logger.Info("look after the cluster's members", "err", err)
	}
	t, release := l.newTerm(number)
	defer release()
	l.current.Store(&office{Term: t, number: number})
	defer l.current.Store(nil)
	logger.Info("leading")
	defer logger.Info("no longer leading")
	g := group.New(ctx)
	defer g.Stop()
	g.Go(t.Run)
	g.Go(func(ctx context.Context) error { return l.members.run(ctx, t) })
	return g.Wait()
}

// followLeader tells the log whom this node follows.
func (n *Node) followLeader(ctx context.Context) error {
	changes := make(chan raft.Observation, 16)
	observer := raft.NewObserver(changes, false, func(o *raft.Observation) bool {
		_, ok := o.Data.(raft.LeaderObservation)
		return ok
	})
	n.consensus.raft.RegisterObserver(observer)
	defer n.consensus.raft.DeregisterObserver(observer)
	for {
		select {
		case <-ctx.Done():
			return nil
		case o := <-changes:
			if l := o.Data.(raft.LeaderObservation); l.LeaderID != "" && string(l.LeaderID) != n.cfg.ID {
				n.logger.Info("following", "leader", l.LeaderID)
			}
		}
	}
}

// foundCluster submits the cluster's ID and root key if it has none yet.
func (n *Node) foundCluster(ctx context.Context) error {
	if n.store.ClusterID() != "" {
		return nil
	}
	key, written, err := n.rootKey()
	if err != nil {
		return err
	}
	keyID := newKeyID()
	sealed, err := n.cfg.Secret.Seal([]byte(key), keyScope(keyID))
	if err != nil {
		return fmt.Errorf("seal the root API key: %w", err)
	}
	applied, err := n.consensus.log.Submit(ctx, job.Init{
		ClusterID: randomHex(16),
		RootKey: job.APIKey{
			ID: keyID, Namespace: job.DefaultNamespace, Name: "root", Role: job.RoleAdmin, Root: true,
			Secret: job.Secret{Hash: hashKey(key), Sealed: sealed}, CreatedAt: n.instant(),
		},
	})
	if err != nil {
		return err
	}
	if len(applied.Items) > 0 && applied.Items[0].Err != nil {
		return errors.Join(applied.Items[0].Err, written.discard())
	}
	n.logger.Info("cluster founded", "cluster", n.store.ClusterID())
	if written != "" {
		n.logger.Info("made a root API key; it is in this file and nowhere else in plain text", "path", string(written))
	}
	return nil
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b)
	return hex.EncodeToString(b)
}
