package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cronraft/cronraft/internal/localcluster"
)

const (
	bodyBytes   = 300
	jobsPerBulk = 1000
	bulkClients = 6
	namespaces  = 10
	quietPeriod = 10 * time.Second
)

// benchMillion creates jobs in a three-node cluster with bulk requests, and measures
// the rate, the pages of their lists, memory, and a restart.
func benchMillion(ctx context.Context, s settings, dir string) error {
	r, err := startRig(ctx, s, dir, "--rate-limit", "0")
	if err != nil {
		return err
	}
	defer r.close()
	single, err := r.create(ctx, s.due, s.clients, 24*60*60)
	if err != nil {
		return err
	}
	rate, err := r.createBulk(ctx, s.million)
	if err != nil {
		return err
	}
	fmt.Printf("million: %d jobs with %d-byte bodies created by requests of %d at %.0f/s; one request each, with %d clients, %.0f/s; ratio %.1f\n",
		s.million, bodyBytes, jobsPerBulk, rate, s.clients, single, rate/single)
	if err := sleepUntil(ctx, time.Now().Add(quietPeriod)); err != nil {
		return err
	}
	if err := r.printMemory("after the creation"); err != nil {
		return err
	}
	if err := r.readLists(ctx); err != nil {
		return err
	}
	if err := r.restart(ctx); err != nil {
		return err
	}
	return r.printMemory("after the restart")
}

// createBulk makes count jobs that do not come due while the benchmark lasts, over
// all nodes, and returns how many it made a second.
func (r *rig) createBulk(ctx context.Context, count int) (float64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	began := time.Now()
	var all sync.WaitGroup
	for range bulkClients {
		all.Go(func() {
			for ctx.Err() == nil {
				first := int(next.Add(1)-1) * jobsPerBulk
				if first >= count {
					return
				}
				if err := r.bulk(ctx, first, min(count, first+jobsPerBulk)); err != nil {
					cancel(fmt.Errorf("create the jobs from %d on: %w", first, err))
				}
			}
		})
	}
	all.Wait()
	return float64(count) / time.Since(began).Seconds(), context.Cause(ctx)
}

// bulk creates the jobs from first on and before end.
func (r *rig) bulk(ctx context.Context, first, end int) error {
	number := first / jobsPerBulk
	answer, err := r.cluster.Do(ctx, number%r.cluster.Len(), localcluster.Request{
		Method: http.MethodPost, Path: "/jobs/bulk", Body: bulkBody(first, end),
		Header: map[string]string{"X-Cron-Namespace": fmt.Sprintf("ns%d", number%namespaces)},
	})
	if err != nil {
		return err
	}
	var made struct{ Results []struct{ Status int } }
	if err := answer.Data(&made); err != nil {
		return err
	}
	if len(made.Results) != end-first {
		return fmt.Errorf("%d results for %d jobs", len(made.Results), end-first)
	}
	for _, result := range made.Results {
		if result.Status != http.StatusCreated {
			return fmt.Errorf("a job was answered with %d: %.1000s", result.Status, answer.Body)
		}
	}
	return nil
}

// bulkBody has a tenth of the jobs paused, tags of which some are rare, and names
// whose order is not that of the creation.
func bulkBody(first, end int) string {
	var b strings.Builder
	b.WriteString(`{"jobs":[`)
	body := strings.Repeat("b", bodyBytes)
	for i := first; i < end; i++ {
		if i > first {
			b.WriteByte(',')
		}
		state, rare := "ACTIVE", ""
		if i%10 == 0 {
			state = "PAUSED"
		}
		if i%1000 == 1 {
			rare = `,"rare":"yes"`
		}
		fmt.Fprintf(&b, `{"name":"job-%07d","externalId":"external-%d","cronExpression":"0 4 1 1 *","targetUrl":"http://127.0.0.1:9/%d","body":"%s","state":"%s","tags":{"team":"t%d"%s}}`,
			i*31%1_000_003, i, i, body, state, i%7, rare)
	}
	b.WriteString(`]}`)
	return b.String()
}

// restart stops all nodes and starts them again.
func (r *rig) restart(ctx context.Context) error {
	for i := range r.cluster.Len() {
		if err := r.cluster.Stop(i); err != nil {
			return err
		}
	}
	began := time.Now()
	for i := range r.cluster.Len() {
		if err := r.cluster.Restart(i); err != nil {
			return err
		}
	}
	for i := range r.cluster.Len() {
		if err := r.cluster.WaitReady(ctx, i); err != nil {
			return err
		}
	}
	fmt.Printf("million: all nodes ready %.1f s after a restart of all\n", time.Since(began).Seconds())
	return nil
}

func (r *rig) printMemory(when string) error {
	for i := range r.cluster.Len() {
		all, anonymous, err := memory(r.cluster.PID(i))
		if err != nil {
			return err
		}
		fmt.Printf("million: node %d %s: resident %d MiB, %d MiB of it not backed by files\n", i+1, when, all, anonymous)
	}
	return nil
}
