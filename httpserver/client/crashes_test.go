package client_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/cronraft/cronraft/httpserver/client"
	"github.com/cronraft/cronraft/internal/localcluster"
)

// testCrashes kills one server after the other while jobs are made and events are read:
// no call fails, each job is made once, and the events tell of each once, in order.
func testCrashes(ctx context.Context, t *testing.T, cluster *localcluster.Cluster, c *client.Client) {
	const jobs = 60
	var group sync.WaitGroup
	defer group.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// The first event is known, so nothing is missed before the stream is open.
	first := followOne(ctx, t, c)
	told := make(chan string, 10*jobs)
	group.Go(func() {
		for e, err := range c.Events(ctx, client.EventFilter{After: first, Types: []string{"job.created"}}) {
			if err != nil {
				if ctx.Err() == nil {
					t.Errorf("events: %v", err)
				}
				return
			}
			if e.Data.JobName != "ping" { // followOne may have made another one
				told <- e.Data.JobName
			}
		}
	})
	for i := range jobs {
		down := i / 20
		var err error
		switch i % 20 {
		case 5:
			err = cluster.Kill(down)
		case 12:
			err = cluster.Restart(down)
		case 19:
			err = cluster.WaitReady(ctx, down)
		}
		if err != nil {
			t.Fatal(err)
		}
		name := "crash " + string(rune('A'+i))
		j := ok(c.CreateJob(ctx, client.JobSpec{Name: name, IntervalSeconds: 3600, TargetURL: "http://127.0.0.1:9/", Tags: map[string]string{"suite": "crash"}}))(t)
		ok(c.UpdateJob(ctx, j.JobID, client.JobPatch{State: client.To("PAUSED")}, client.IfMatch(j.Version)))
	}
	if got := len(collect(t, c.Jobs(ctx, client.JobFilter{Tags: map[string]string{"suite": "crash"}}))); got != jobs {
		t.Errorf("%d jobs were made, want %d", got, jobs)
	}
	for i := range jobs {
		select {
		case name := <-told:
			if want := "crash " + string(rune('A'+i)); name != want {
				t.Fatalf("event %d tells of %q, want %q", i, name, want)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("no event of job %d", i)
		}
	}
}

// followOne makes something happen until a stream tells of it, and returns the event's
// ID.
func followOne(ctx context.Context, t *testing.T, c *client.Client) string {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	group.Go(func() {
		pace := time.NewTicker(50 * time.Millisecond)
		defer pace.Stop()
		for ctx.Err() == nil {
			// Its failure is told by the events that do not come.
			_, _ = c.CreateJob(ctx, client.JobSpec{Name: "ping", IntervalSeconds: 3600, TargetURL: "http://127.0.0.1:9/"})
			<-pace.C
		}
	})
	return read(ctx, t, c, client.EventFilter{Types: []string{"job.created"}}, 1)
}
