package node_test

import (
	"context"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/node"
)

// beginning is before the first event of a new cluster, which every node has seen.
var beginning = job.EventID{Index: 1}

// TestEvents_AreTheSameOnEveryNode follows the events of a cluster on each of its
// nodes, and goes on at another one when the first is gone.
func TestEvents_AreTheSameOnEveryNode(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c, called := newCrew(ctx, t, 3), newTarget(t)
	var made job.Job
	c.do(ctx, "a job", func(n *node.Node) (err error) {
		spec := calling(called.URL)
		spec.Tags = []job.Tag{{Key: "needs", Value: "version 3"}}
		made, _, err = n.Jobs().Create(ctx, root(ctx, t, n), spec, nil)
		return err
	})
	leader, _ := c.leader(ctx)
	reader := follow(t, c.nodes[leader].Events(), beginning)
	reader.until(ctx, "an execution that succeeded", func(e job.Event) bool {
		return e.Type == job.EventExecutionSucceeded && e.Job == made.ID
	})
	c.kill(leader)
	seen := len(reader.events)
	_, next := c.leader(ctx)
	reader.source = next.Events()
	reader.until(ctx, "another leader", func(e job.Event) bool { return e.Type == job.EventLeaderChanged })
	reader.until(ctx, "an execution after that", func(e job.Event) bool { return e.Type == job.EventExecutionSucceeded })
	if len(reader.events) <= seen {
		t.Error("nothing came from the other node")
	}
	last := reader.events[len(reader.events)-1].ID
	for id, n := range c.nodes {
		other := follow(t, n.Events(), beginning)
		other.until(ctx, "the same event", func(e job.Event) bool { return e.ID == last })
		if !reflect.DeepEqual(other.events, reader.events) {
			t.Errorf("%s tells\n%s\nand the reader was told\n%s", id, texts(other.events), texts(reader.events))
		}
	}
	_, n := c.leader(ctx)
	if _, _, complete := n.Events().Since(job.EventID{Index: last.Index + 1_000_000}); complete {
		t.Error("a node claims to know everything up to what it has not seen")
	}
}

// TestEvents_TheFirstLeader is told of too: a new cluster reads events before its first
// term begins.
func TestEvents_TheFirstLeader(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, size := range []int{1, 3} {
		c := newCrew(ctx, t, size)
		_, n := c.leader(ctx)
		follow(t, n.Events(), beginning).until(ctx, "the first leader", func(e job.Event) bool { return e.Type == job.EventLeaderChanged })
	}
}

func texts(events []job.Event) (lines string) {
	for _, e := range events {
		lines += fmt.Sprintf("%+v\n", e)
	}
	return lines
}

// eventReader follows the events of a node.
type eventReader struct {
	t      *testing.T
	source node.Events
	last   job.EventID
	events []job.Event
}

func follow(t *testing.T, source node.Events, after job.EventID) *eventReader {
	return &eventReader{t: t, source: source, last: after}
}

// until reads up to an event that was not read before and of which the condition is
// true.
func (r *eventReader) until(ctx context.Context, what string, condition func(job.Event) bool) {
	r.t.Helper()
	for {
		events, more, complete := r.source.Since(r.last)
		if !complete {
			r.t.Fatalf("%s: events after %v are unknown", what, r.last)
		}
		for _, e := range events {
			r.last = e.ID
			r.events = append(r.events, e)
			if condition(e) {
				return
			}
		}
		select {
		case <-more:
		case <-ctx.Done():
			r.t.Fatalf("%s: not among\n%s", what, texts(r.events))
		}
	}
}
