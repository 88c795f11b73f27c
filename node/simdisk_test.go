//go:build !race

package node_test

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/checker"
	"github.com/cronraft/cronraft/internal/job"
)

// TestSimulatedDisk lets disks hang and fill up.
func TestSimulatedDisk(t *testing.T) {
	simulate(t, func(t *testing.T, run simRun) {
		c := newSimCluster(t)
		defer c.close()
		c.found(3)
		k := c.client(run, 0)
		for _, p := range misfires {
			for _, hold := range []string{"0s", "10s"} {
				k.make(checker.Change{IntervalSeconds: ptr(60), Misfire: ptr(string(p))}, url.Values{"hold": {hold}})
			}
		}
		d := diskTest{simHand{newSimStorm(c, 0), run.chance(50)}, k}
		time.Sleep(5 * time.Minute)
		d.hangs(10 * time.Second)
		d.hangs(time.Minute)
		d.fillOne()
		d.fillAll()
		c.settle(run)
		for _, r := range c.history.Records {
			if r.Result == string(job.Missed) && !d.wasFull(r.MissedFrom) {
				t.Errorf("%d slots from %v are missed, though a majority of disks worked", r.MissedCount, r.MissedFrom)
			}
		}
	})
}

// diskTest does things to disks, one after the other.
type diskTest struct {
	simHand
	client *simClient
}

// hangs lets the leader's disk hang: another node has to lead meanwhile. If it hangs
// for long, the node stops.
func (d diskTest) hangs(lasts time.Duration) {
	d.c.t.Helper()
	n := d.c.leader()
	undone := d.sicken([]*simNode{n})
	led := make(chan bool, 1)
	time.AfterFunc(lasts-time.Millisecond, func() { led <- d.c.isLedWithout(n) })
	d.hang(n, lasts)
	if !<-led {
		d.c.t.Errorf("after %v with a hung disk on %s no other node leads", lasts, n.id)
	}
	if stops := n.life.Load().isDark(); stops != (lasts > 10*simTiming.DiskPatience) {
		d.c.t.Errorf("after %v with a hung disk the node has stopped: %t", lasts, stops)
	}
	d.cure([]*simNode{n})
	undone()
	d.c.untilWhole()
	time.Sleep(5 * time.Minute)
}

// fillOne fills the leader's disk: another node has to lead.
func (d diskTest) fillOne() {
	d.c.t.Helper()
	n := d.c.leader()
	undone := d.sicken([]*simNode{n})
	n.room.Store(0)
	time.Sleep(30 * time.Second)
	if !d.c.isLedWithout(n) {
		d.c.t.Errorf("with a full disk on %s no other node leads", n.id)
	}
	time.Sleep(5 * time.Minute)
	n.room.Store(simRoom)
	d.cure([]*simNode{n})
	undone()
	d.c.untilWhole()
	time.Sleep(5 * time.Minute)
}

// fillAll fills every disk, the leader's last so that it keeps its office: nothing is
// written, and what is there can be read. It goes on by itself when there is room.
func (d diskTest) fillAll() {
	t, leader := d.c.t, d.c.leader()
	t.Helper()
	undone := d.sicken(d.c.members())
	for _, n := range append(d.others(leader), leader) {
		n.room.Store(0)
		time.Sleep(2 * simTiming.Gossip)
	}
	j := d.client.jobs[0]
	o := d.client.do(on(j, checker.OpUpdate), 1, func(ctx context.Context, l *simLife, _ *checker.Op) error {
		_, err := l.Jobs().Update(ctx, "", j.id, 0, func(*job.Spec) error { return nil })
		return err
	})
	if o.Outcome != checker.Refused || o.Code != string(job.CodeDiskFull) {
		t.Errorf("a write with full disks: %s %s", o.Outcome, o.Code)
	}
	if err := leader.life.Load().Barrier(t.Context()); err != nil {
		t.Errorf("the leader cannot be read while the disks are full: %v", err)
	}
	for _, l := range d.c.lives() {
		if _, err := l.Jobs().Get(t.Context(), "", j.id); err != nil {
			t.Errorf("%s does not know a job while the disks are full: %v", l.owner.id, err)
		}
	}
	for _, n := range d.c.members() {
		n.room.Store(simRoom)
	}
	d.cure(d.c.members())
	undone()
	d.c.untilWhole()
	time.Sleep(5 * time.Minute)
}

// wasFull reports whether every disk was full at a time.
func (d diskTest) wasFull(at time.Time) bool {
	for _, f := range d.c.history.Faults {
		if f.Kind == checker.FaultDisk && len(f.Nodes) == 3 && !at.Before(f.From) && !at.After(f.To) {
			return true
		}
	}
	return false
}
