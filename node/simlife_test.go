//go:build !race

package node_test

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/crashpoint"
	"github.com/cronraft/cronraft/node"
)

// simNode is one member, and what survives its crashes.
type simNode struct {
	id, host string
	// expect is the member's --bootstrap-expect.
	expect int
	// clock is how far its wall clock is ahead, a time.Duration.
	clock atomic.Int64
	// room is how many bytes are free on its disk.
	room atomic.Uint64
	trap atomic.Pointer[simTrap]
	// life is nil while the node is down.
	life atomic.Pointer[simLife]
	// disk is what the next life starts with.
	disk simDisk
	// frail is the part of what was not synced that survives a crash, in percent.
	frail int
	// sick: the node may stop by itself.
	sick atomic.Bool
}

// now is the node's wall clock. It has no monotonic reading, which the step of a
// clock would move as well.
func (n *simNode) now() time.Time { return time.Now().Add(time.Duration(n.clock.Load())).Round(0) }

// simTrap takes the power of a node that comes to a crash point.
type simTrap struct {
	point crashpoint.Point
	// skip is how many times the node may come there before.
	skip atomic.Int64
	// sprung is closed when the power is gone.
	sprung chan struct{}
}

func newSimTrap(p crashpoint.Point, skip int) *simTrap {
	t := &simTrap{point: p, sprung: make(chan struct{})}
	t.skip.Store(int64(skip))
	return t
}

// simLife is one process of a node, from its start to its end.
type simLife struct {
	*node.Node
	owner *simNode
	links *simLinks
	disk  simDisk

	power sync.Once
	// dark is closed when the power is gone: nothing that the process still does
	// has an effect, and nothing that it answers has been heard.
	dark chan struct{}
	// left is what the disk holds then.
	left simDisk
	// torn is closed when the process is about to be collected: whoever waits at a
	// crash point goes on.
	torn chan struct{}
}

func newSimLife(n *simNode, links *simLinks) *simLife {
	return &simLife{owner: n, links: links, disk: n.disk, dark: make(chan struct{}), torn: make(chan struct{})}
}

// losePower ends the life: at this very moment the network is dead, and what the
// disk has is what the next life will find. First the network: what was sent
// before rests on what was written before, and that survives.
func (l *simLife) losePower() {
	l.power.Do(func() {
		l.links.switchOff(l.owner.host)
		chance := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
		l.left = l.disk.afterPowerLoss(l.owner.frail, chance)
		close(l.dark)
	})
}

func (l *simLife) isDark() bool {
	select {
	case <-l.dark:
		return true
	default:
		return false
	}
}

func (l *simLife) isTorn() bool {
	select {
	case <-l.torn:
		return true
	default:
		return false
	}
}

// watch ends the process when the node has failed, as the program does.
func (l *simLife) watch(t *testing.T) {
	select {
	case <-l.torn:
	case <-l.dark:
	case <-l.Failed():
		if l.isTorn() {
			return
		}
		l.losePower()
		if !l.owner.sick.Load() {
			t.Errorf("%v: %s failed: %v", time.Now(), l.owner.id, l.Err())
		}
	}
}

// reached is the node's crash hook. The goroutine that springs the trap stays where
// it is until the process is torn down.
func (l *simLife) reached(p crashpoint.Point) {
	trap := l.owner.trap.Load()
	if trap == nil || trap.point != p || l.isDark() || trap.skip.Add(-1) >= 0 {
		return
	}
	if !l.owner.trap.CompareAndSwap(trap, nil) {
		return
	}
	l.losePower()
	close(trap.sprung)
	<-l.torn
}
