package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/transport"
)

// RemoveNode takes a node out of the cluster for good: one that is gone, so that
// it no longer counts towards the majority, or one that is to go. One that lives is told,
// ends what it runs, and stops; it is not let in again in this life. Started again
// it joins as a newcomer. So does one that lived unseen, cut off, when it comes
// back: nobody knew which life to keep out.
//
// [job.ErrNotLeader] if this node does not lead, CodeNotFound for a node that is
// no member, CodeConflict for the leader itself and for a node that the others
// have no majority without.
func (n *Node) RemoveNode(ctx context.Context, id string) error {
	if !n.Leads() {
		return job.ErrNotLeader
	}
	if err := n.mayRemove(ctx, id); err != nil {
		return err
	}
	if o, alive := n.gossip.find(id); alive {
		life := job.NodeRef{ID: id, Incarnation: o.Incarnation}
		if _, err := n.consensus.log.Submit(ctx, job.DismissNode{At: n.instant(), Node: life}); err != nil {
			return err
		}
		n.awaitEnd(ctx, o)
	}
	if err := n.consensus.members.remove(ctx, id); err != nil {
		return submitError(err)
	}
	return nil
}

// endPatience is how long a node that was dismissed may take to end what it runs
// while it is still a member.
const endPatience = 8 * time.Second

// awaitEnd tells a node that it was dismissed, and waits a while until it has
// nothing open or is gone.
func (n *Node) awaitEnd(ctx context.Context, o neighbour) {
	ctx, cancel := context.WithTimeout(ctx, endPatience)
	defer cancel()
	for {
		if open, err := n.tellDismissed(ctx, o); err != nil || open == 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(bootstrapInterval):
		}
	}
}

// mayRemove is nil if the cluster works without the node: a majority of the other
// voters answers.
func (n *Node) mayRemove(ctx context.Context, id string) error {
	status, err := n.Status(ctx)
	if err != nil {
		return err
	}
	known, voters, living := false, 0, 0
	for _, m := range status.Nodes {
		switch {
		case m.NodeID == id:
			known = true
		case m.Role != roleLearner:
			voters++
			if m.State == stateAlive {
				living++
			}
		}
	}
	switch {
	case !known:
		return job.Errorf(job.CodeNotFound, "the cluster has no node %q", id)
	case id == n.cfg.ID:
		return job.Errorf(job.CodeConflict, "node %q leads: hand leadership to another node first (POST /cluster/transfer-leadership)", id)
	case living <= voters/2:
		return job.Errorf(job.CodeConflict, "without node %q, %d of %d voters would be alive, which is no majority: bring the others back first", id, living, voters)
	}
	return nil
}

// tellDismissed tells a node that is still there that it was removed, and returns
// how many attempts it has open.
func (n *Node) tellDismissed(ctx context.Context, o neighbour) (open int, err error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	greeting := n.greeting()
	greeting.Dismissed = o.Incarnation
	answer, err := n.links.calls.Hello(ctx, o.PeerAddr, greeting)
	if err != nil {
		return 0, fmt.Errorf("tell node %s that it was removed: %w", o.ID, err)
	}
	return answer.OpenAttempts, nil
}

// heed ends this node if the greeting of a member says that it was removed.
func (n *Node) heed(g transport.Greeting) {
	if g.Dismissed == n.incarnation && g.ClusterID != "" && g.ClusterID == n.store.ClusterID() {
		n.leaving.once.Do(func() {
			n.logger.Warn("this node was removed from the cluster and stops; started again it would join as a newcomer")
			close(n.leaving.dismissed)
		})
	}
}

// Dismissed is closed when the cluster has removed this node: it has to be drained
// and stopped.
func (n *Node) Dismissed() <-chan struct{} { return n.leaving.dismissed }

// dismissAll tells nodes that they were removed, and finishes removals that an
// earlier leader began.
func (m *membership) dismissAll(ctx context.Context, servers []raft.Server, neighbours []neighbour) error {
	var errs []error
	for _, s := range servers {
		life := m.store.Dismissed(string(s.ID))
		if life == 0 || string(s.ID) == m.self {
			continue
		}
		n, there := findNeighbour(neighbours, s)
		errs = append(errs, m.finish(ctx, servers, neighbours, removal{life, n, there, string(s.ID)}))
	}
	for _, n := range neighbours {
		if _, member := findServer(servers, n.ID); !member && n.Incarnation == m.store.Dismissed(n.ID) {
			_, err := m.dismiss(ctx, n)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// removal is a member of which one life was dismissed.
type removal struct {
	life uint64
	neighbour
	there bool // gossip shows it
	id    string
}

// finish removes a dismissed member once it has nothing open or is gone, if the
// others have a majority without it. If it lives another life, it was started again
// before it was removed: it stays, and may be absent later.
func (m *membership) finish(ctx context.Context, servers []raft.Server, neighbours []neighbour, r removal) error {
	if r.there && r.Incarnation != r.life {
		_, err := m.log.Submit(ctx, job.DismissNode{At: m.now(), Node: job.NodeRef{ID: r.id}})
		return err
	}
	if r.there {
		if open, err := m.dismiss(ctx, r.neighbour); err == nil && open > 0 {
			return nil
		}
	}
	voters, living := 0, 0
	for _, s := range servers {
		if s.Suffrage != raft.Voter || string(s.ID) == r.id {
			continue
		}
		voters++
		if _, ok := findNeighbour(neighbours, s); ok {
			living++
		}
	}
	if living <= voters/2 {
		return nil
	}
	return m.remove(ctx, r.id)
}

// remove takes a server out of raft's configuration.
func (m *membership) remove(ctx context.Context, id string) error {
	err := await(ctx, func() error { return m.raft.RemoveServer(raft.ServerID(id), 0, changeTimeout).Error() })
	poke(m.changed) // also after an error: the change may yet be committed
	if err != nil {
		return fmt.Errorf("remove node %s: %w", id, err)
	}
	m.logger.Info("node removed from the cluster", "peer", id)
	return nil
}
