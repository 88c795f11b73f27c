package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/cronraft/cronraft/internal/checker"
	"github.com/cronraft/cronraft/internal/localcluster"
)

const (
	// readyLimit is how long a node that was started may take until it is ready.
	readyLimit = 60 * time.Second
	// electLimit is how long a majority that can talk may be without a leader.
	electLimit = 20 * time.Second
)

// stage is where a scenario plays: what it may do to the cluster, with a note of
// all that is done. It is for one goroutine.
type stage struct {
	cluster *localcluster.Cluster
	net     *network // nil without namespaces
	rng     *rand.Rand
	isShort bool
	out     string // folder for logs

	faults []checker.Fault
	// marks are when something happened that firing has to get over.
	marks []time.Time
	// down are the nodes, as bits, that cannot be expected to answer.
	down atomic.Uint64
	// paused and cut tell what [stage.mend] has to undo.
	paused []int
	isCut  bool

	// small is the small disk that victim's data is on, in the scenario that has one.
	small  *smallDisk
	victim int
}

// span picks a length for the short form and one for the full.
func (s *stage) span(short, full time.Duration) time.Duration {
	if s.isShort {
		return short
	}
	return full
}

// mark notes that the callbacks that come now are of interest.
func (s *stage) mark() { s.marks = append(s.marks, time.Now()) }

// begin notes a fault and returns its place; it ends with [stage.end].
func (s *stage) begin(kind checker.FaultKind, nodes ...int) int {
	f := checker.Fault{Kind: kind, From: time.Now()}
	for _, i := range nodes {
		f.Nodes = append(f.Nodes, s.cluster.Node(i).ID)
	}
	s.faults = append(s.faults, f)
	return len(s.faults) - 1
}

func (s *stage) end(fault int) { s.faults[fault].To = time.Now() }

func (s *stage) setDown(i int, isDown bool) {
	if isDown {
		s.down.Or(1 << i)
	} else {
		s.down.And(^uint64(1 << i))
	}
}

func (s *stage) isDown(i int) bool { return s.down.Load()&(1<<i) != 0 }

// others are all nodes but these.
func (s *stage) others(but ...int) []int {
	var nodes []int
	for i := range s.cluster.Len() {
		if !slices.Contains(but, i) {
			nodes = append(nodes, i)
		}
	}
	return nodes
}

func (s *stage) names() []string {
	var names []string
	for i := range s.cluster.Len() {
		names = append(names, s.name(i))
	}
	return names
}

func (s *stage) name(i int) string { return s.cluster.Node(i).ID }

// leader is the node that says that it leads; of several the one of the newest
// term. Those in but are not asked.
func (s *stage) leader(ctx context.Context, but ...int) (int, error) {
	found := -1
	err := until(ctx, electLimit, "a leader", func() bool {
		found = s.leaderNow(ctx, but)
		return found >= 0
	})
	return found, err
}

func (s *stage) leaderNow(ctx context.Context, but []int) int {
	found, term := -1, uint64(0)
	for _, i := range s.others(but...) {
		if s.isDown(i) {
			continue
		}
		v, err := s.cluster.View(ctx, i)
		if err == nil && v.LeaderID == v.NodeID && v.Term > term {
			found, term = i, v.Term
		}
	}
	return found
}

// follower is any node that does not lead.
func (s *stage) follower(ctx context.Context) (int, error) {
	leader, err := s.leader(ctx)
	if err != nil {
		return 0, err
	}
	return pick(s.rng, s.others(leader)), nil
}

// start starts a node that does not run and waits until it is ready.
func (s *stage) start(ctx context.Context, i int) error {
	if err := s.cluster.Restart(i); err != nil {
		return err
	}
	return s.ready(ctx, i)
}

func (s *stage) ready(ctx context.Context, i int) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	if err := s.cluster.WaitReady(ctx, i); err != nil {
		return err
	}
	s.setDown(i, false)
	return nil
}

// mend undoes what is still done: after it every node runs, hears all others and is
// ready. Its error says which node ended without having been told to.
func (s *stage) mend(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var errs []error
	for _, i := range s.paused {
		errs = append(errs, s.cluster.Resume(i))
	}
	s.paused = nil
	if s.isCut {
		errs = append(errs, s.heal(ctx))
	}
	for i := range s.cluster.Len() {
		if s.cluster.Running(i) {
			continue
		}
		if !s.isDown(i) {
			code, err := s.cluster.WaitExit(ctx, i)
			errs = append(errs, err, fmt.Errorf("%s ended by itself, with exit code %d: see %s", s.name(i), code, s.cluster.Node(i).LogPath))
		}
		errs = append(errs, s.cluster.Restart(i))
	}
	for i := range s.cluster.Len() {
		errs = append(errs, s.ready(ctx, i))
	}
	for fault := range s.faults {
		if s.faults[fault].To.IsZero() {
			s.end(fault)
		}
	}
	return errors.Join(errs...)
}
