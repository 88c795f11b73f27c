//go:build !race

package node_test

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/cronraft/cronraft/internal/checker"
	"github.com/cronraft/cronraft/internal/job"
)

// simReader reads executions at any node, linearizably.
type simReader struct {
	c      *simCluster
	chance *rand.Rand
	pause  time.Duration // the mean time between two reads
}

// run reads until it is told to stop.
func (r *simReader) run(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(soon(r.chance, r.pause)):
			r.read()
		}
	}
}

// read reads the newest executions of a job. A node that cannot confirm that it is
// up to date, or that loses its power meanwhile, has answered nothing.
func (r *simReader) read() {
	lives := r.c.lives()
	if len(lives) == 0 {
		return
	}
	l := pick(r.chance, lives)
	ctx, cancel := context.WithTimeout(r.c.t.Context(), opPatience)
	defer cancel()
	asked := time.Now()
	if l.Barrier(ctx) != nil {
		return
	}
	page, err := l.Jobs().List(ctx, job.JobQuery{Namespace: job.DefaultNamespace, Limit: 1000})
	if err != nil || len(page.Jobs) == 0 {
		return
	}
	j := pick(r.chance, page.Jobs)
	recent, err := newest(ctx, l.Node, j.ID, 10)
	at := time.Now()
	if err != nil || l.isDark() {
		return
	}
	for _, x := range recent {
		r.c.history.read(checker.Read{Asked: asked, At: at, JobID: j.ID.String(), ID: x.ID.String(), Result: string(x.Result)})
	}
}
