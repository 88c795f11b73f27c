package scheduler

import (
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// NodeState is how a node is, as far as this term's leader has heard.
type NodeState string

// The states of a node.
const (
	NodeAlive   NodeState = "ALIVE"   // it answers; attempts are planned for it
	NodeSuspect NodeState = "SUSPECT" // it does not, or has not yet
	NodeDead    NodeState = "DEAD"    // its attempts are LOST
)

// pace is how often nodes are called, and what silence means: all of it follows
// from NodeLostAfter.
type pace struct {
	renew time.Duration // from one batch to the next, empty if need be
	alive time.Duration // an answer this old still makes a node eligible
	mute  time.Duration // silence after which the lease is not renewed
	call  time.Duration // the longest call
	lease time.Duration // what a batch grants
	lost  time.Duration // silence after which attempts are LOST
}

func newPace(nodeLostAfter time.Duration) pace {
	renew := min(nodeLostAfter/10, time.Second)
	return pace{
		renew: renew,
		alive: 3 * renew,
		mute:  nodeLostAfter / 4,
		call:  nodeLostAfter / 4,
		lease: nodeLostAfter * 6 / 10,
		lost:  nodeLostAfter,
	}
}

// contact is what a term has heard from a node. Its user guards it.
type contact struct {
	pace
	since    time.Time // when the term began to listen
	answered time.Time // the last answer; zero before the first
	leased   time.Time // when the last batch that grants a lease was sent
	failures int       // calls that failed since the last answer
	reply    job.BatchReply
}

// heard is when silence began.
func (c *contact) heard() time.Time {
	if c.answered.IsZero() {
		return c.since
	}
	return c.answered
}

// isAlive reports whether the node may be given new attempts.
func (c *contact) isAlive(now time.Time) bool {
	return !c.answered.IsZero() && c.failures == 0 && !c.reply.Draining && now.Sub(c.answered) <= c.alive
}

// isMute reports whether the node has been silent for so long that it must not
// be kept alive.
func (c *contact) isMute(now time.Time) bool { return now.Sub(c.heard()) > c.mute }

// lostAt is when the node's requests are over for certain, unless it answers
// before: a lease from a batch that was sent after the last answer counts as
// received.
func (c *contact) lostAt() time.Time {
	from := c.heard()
	if c.leased.After(from) {
		from = c.leased
	}
	return from.Add(c.lost)
}

// state is what [Term.Nodes] tells.
func (c *contact) state(now time.Time) NodeState {
	switch {
	case c.isAlive(now):
		return NodeAlive
	case now.Before(c.lostAt()):
		return NodeSuspect
	default:
		return NodeDead
	}
}

// backoff is the pause after a call that failed.
func (c *contact) backoff() time.Duration {
	return doubled(firstBackoff, c.failures-1, c.renew)
}

// firstBackoff is the pause after the first call that failed; it doubles up to
// the renew interval.
const firstBackoff = 50 * time.Millisecond
