package scheduler

import (
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// announcement is what the terms of a world announced, without when.
type announcement struct {
	event job.EventType
	node  string
}

func (w *world) announced() []announcement {
	var list []announcement
	for _, a := range decisionsOf[job.Announce](w) {
		list = append(list, announcement{a.Type, a.NodeID})
	}
	return list
}

func checkAnnounced(t *testing.T, w *world, want ...announcement) {
	t.Helper()
	synctest.Wait()
	if got := w.announced(); !slices.Equal(got, want) {
		t.Errorf("announced %v, want %v", got, want)
	}
}

// begun is what each term of a world begins with.
var begun = announcement{job.EventLeaderChanged, "n1"}

func TestAnnounce_EachTerm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("n1", "n2")
		_, stop := w.startTerm(t)
		time.Sleep(time.Minute)
		checkAnnounced(t, w, begun)
		_ = stop()
		w.startTerm(t)
		time.Sleep(time.Minute)
		checkAnnounced(t, w, begun, begun)
	})
}

func TestAnnounce_ALostNodeOnceForEachSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("n1", "n2", "n3")
		w.node("n3", func(n *fakeNode) { n.down = true })
		began := time.Now()
		w.start(t)
		time.Sleep(5 * time.Minute)
		lost2, lost3 := announcement{job.EventNodeLost, "n2"}, announcement{job.EventNodeLost, "n3"}
		checkAnnounced(t, w, begun, lost3)
		if at := decisionsOf[job.Announce](w)[1].At; !at.Equal(began.Add(defaultNodeLostAfter)) {
			t.Errorf("announced at %v, want when the node was lost", at)
		}
		w.node("n2", func(n *fakeNode) { n.down = true })
		time.Sleep(defaultNodeLostAfter + time.Second)
		checkAnnounced(t, w, begun, lost3, lost2)
		w.node("n2", func(n *fakeNode) { n.down = false })
		w.node("n3", func(n *fakeNode) { n.down = false })
		time.Sleep(time.Minute)
		checkAnnounced(t, w, begun, lost3, lost2)
		w.node("n2", func(n *fakeNode) { n.down = true })
		time.Sleep(time.Minute)
		checkAnnounced(t, w, begun, lost3, lost2, lost2)
	})
}

func TestAnnounce_NoShortSilenceAndNoStranger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldWithJob("n1", "n2", "n3")
		w.setOpen(running("n3", 1)) // keeps n3 known
		w.start(t)
		w.setMembers("n1", "n2")
		w.node("n2", func(n *fakeNode) { n.down = true })
		w.node("n3", func(n *fakeNode) { n.down = true })
		time.Sleep(defaultNodeLostAfter - time.Second)
		w.node("n2", func(n *fakeNode) { n.down = false })
		time.Sleep(time.Minute)
		checkAnnounced(t, w, begun)
		if len(decisionsOf[job.MarkLost](w)) == 0 {
			t.Error("the node that is no member was not lost: nothing was tested")
		}
	})
}

func TestAnnounce_TriedAgainInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("n1", "n2")
		w.submit = failingSubmit[job.Announce](3, job.ErrOutcomeUnknown)
		began := time.Now()
		term := w.start(t)
		term.announcer.add(job.EventNodeLost, "n2")
		time.Sleep(3 * retryPause)
		checkAnnounced(t, w, begun, announcement{job.EventNodeLost, "n2"})
		for _, a := range decisionsOf[job.Announce](w) {
			if !a.At.Equal(began) {
				t.Errorf("announced as of %v, want when it happened", a.At)
			}
		}
	})
}

func TestAnnounce_OldMembersKnowNoEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("n1", "n2")
		w.submit = failingSubmit[job.Announce](1, job.ErrOldMember)
		cfg, log := w.config(), &logged{}
		cfg.Logger = slog.New(slog.NewTextHandler(log, nil))
		term, _ := w.runTerm(t, cfg)
		time.Sleep(time.Minute)
		checkAnnounced(t, w)
		if len(log.lines) != 0 {
			t.Errorf("logged %q, want no warning", log.lines)
		}
		term.announcer.add(job.EventNodeLost, "n2")
		checkAnnounced(t, w, announcement{job.EventNodeLost, "n2"})
	})
}
