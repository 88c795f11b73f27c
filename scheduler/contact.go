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
// from NodeLostAfter. Its lease and office are safe together, see the lease in
// the package's comment.
type pace struct {
	renew  time.Duration // from one batch to the next, empty if need be; the same for confirmations
	alive  time.Duration // an answer this old still makes a node eligible
	call   time.Duration // the longest call
	office time.Duration // how long after it was asked for a confirmation lets leases be granted
	lease  time.Duration // what a batch grants, from the reply on that it rests on
	lost   time.Duration // silence after which attempts are LOST
}

func newPace(nodeLostAfter time.Duration) pace {
	renew := min(nodeLostAfter/10, time.Second)
	return pace{
		renew:  renew,
		alive:  3 * renew,
		call:   nodeLostAfter / 4,
		office: nodeLostAfter / 4,
		lease:  nodeLostAfter * 6 / 10,
		lost:   nodeLostAfter,
	}
}

// contact is what a term has heard from a node. Its user guards it.
type contact struct {
	pace
	since    time.Time // when the term began to listen
	answered time.Time // when the last answer came; zero before the first
	failures int       // calls that failed since the last good answer
	reply    job.BatchReply
	skew     time.Duration // of the node's wall clock, as the last answer showed it
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

// canTake reports whether the node might take an assignment: it has given a reply
// for the batch to rest on, and not so long ago that it is sure to refuse.
func (c *contact) canTake(now time.Time) bool {
	return !c.answered.IsZero() && now.Sub(c.answered) < c.lease
}

// lostAt is when the node's requests are over for certain, unless it answers
// before.
func (c *contact) lostAt() time.Time { return c.heard().Add(c.lost) }

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

// take notes an answer. A node that refuses twice in a row refuses a batch that
// rested on what it had just said: that counts as a failure, so that the two do
// not go on like this for ever as fast as they can.
func (c *contact) take(reply job.BatchReply, now time.Time) {
	if reply.Refused && c.reply.Refused {
		c.failures++
	} else {
		c.failures = 0
	}
	c.answered, c.reply = now, reply
}

// pause is how long to wait before the next call, if there is nothing to send.
// After a refusal the same is sent again at once, on the new reply.
func (c *contact) pause() time.Duration {
	switch {
	case c.failures > 0:
		return doubled(firstBackoff, c.failures-1, c.renew)
	case c.reply.Refused:
		return 0
	default:
		return c.renew
	}
}

// firstBackoff is the pause after the first call that failed; it doubles up to
// the renew interval.
const firstBackoff = 50 * time.Millisecond
