package node

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/hashicorp/raft"
)

// spread divides the election time-out into the time within which the followers of
// a silent leader stand for election.
const spread = 4

// succeed makes a follower notice soon that its leader has fallen silent. Raft
// judges a silence right, and looks for it seldom: at random times that are one to
// two election time-outs apart. Nobody is elected before a majority has looked,
// which takes 2.1 time-outs in the middle. So this looks when one time-out has
// passed, and has raft look: it does at once when its time-outs are shortened.
//
// Two nodes that stand at the same time may both lose, and begin again after one
// to two time-outs: each waits for a random time first.
func (c *consensus) succeed(ctx context.Context, election time.Duration) error {
	for wait := bearable(election); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		wait = bearable(election)
		if c.raft.State() != raft.Follower {
			continue
		}
		if silent := time.Since(c.raft.LastContact()); silent < election {
			wait -= silent
			continue
		}
		if err := lookNow(c.raft); err != nil {
			return err
		}
	}
}

// bearable is for how long a leader may be silent, this time.
func bearable(election time.Duration) time.Duration { return election + rand.N(election/spread) }

// lookNow has raft look whether its leader is silent.
func lookNow(r *raft.Raft) error {
	usual := r.ReloadableConfig()
	shorter := usual
	shorter.HeartbeatTimeout--
	for _, config := range []raft.ReloadableConfig{shorter, usual} {
		if err := r.ReloadConfig(config); err != nil {
			return fmt.Errorf("have raft look for its leader: %w", err)
		}
	}
	return nil
}
