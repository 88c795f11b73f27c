package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cronraft/cronraft/internal/localcluster"
)

const benchNodes = 3

// rig is a cluster and the target that its jobs call.
type rig struct {
	cluster *localcluster.Cluster
	target  *localcluster.Target
}

func startRig(ctx context.Context, s settings, dir string, flags ...string) (*rig, error) {
	target, err := localcluster.StartTarget(nil)
	if err != nil {
		return nil, err
	}
	c, err := localcluster.Start(ctx, localcluster.Config{Binary: s.binary, Dir: dir, Nodes: benchNodes, Flags: flags})
	r := &rig{cluster: c, target: target}
	if err != nil {
		r.close()
		return nil, fmt.Errorf("start the cluster: %w", err)
	}
	return r, nil
}

func (r *rig) close() {
	if r.cluster != nil {
		r.cluster.Close()
	}
	r.target.Close()
}

// create makes count jobs through the API of all nodes and returns their rate.
func (r *rig) create(ctx context.Context, count, clients, interval int) (float64, error) {
	var next atomic.Int64
	var failure atomic.Value
	began := time.Now()
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for i := int(next.Add(1)); i <= count && failure.Load() == nil; i = int(next.Add(1)) {
				body := fmt.Sprintf(`{"name":"bench %d","intervalSeconds":%d,"targetUrl":"%s/%d","body":"%s"}`,
					i, interval, r.target.URL, i, strings.Repeat("x", 100))
				answer, err := r.cluster.Call(ctx, i%r.cluster.Len(), http.MethodPost, "/jobs", body)
				if err == nil && answer.Status != http.StatusCreated {
					err = fmt.Errorf("status %d: %s", answer.Status, answer.Body)
				}
				if err != nil {
					failure.Store(err)
				}
			}
		})
	}
	all.Wait()
	if err, ok := failure.Load().(error); ok {
		return 0, fmt.Errorf("create jobs: %w", err)
	}
	return float64(count) / time.Since(began).Seconds(), nil
}

// lateness is what a set of deliveries of known slots came to.
type lateness struct {
	demanded, delivered, missing, doubled int
	p50, p99, last                        time.Duration
}

// measure compares the deliveries with the demand: each of jobs once for each
// slot.
func measure(deliveries []localcluster.Delivery, jobs int, slots []time.Time) lateness {
	l := lateness{demanded: jobs * len(slots)}
	wanted := map[time.Time]bool{}
	for _, s := range slots {
		wanted[s] = true
	}
	seen := map[string]bool{}
	var late []time.Duration
	for _, d := range deliveries {
		if !wanted[d.Scheduled] {
			continue
		}
		if seen[d.Execution] {
			l.doubled++
			continue
		}
		seen[d.Execution] = true
		late = append(late, d.Arrived.Sub(d.Scheduled))
	}
	l.delivered, l.missing = len(late), l.demanded-len(late)
	if len(late) > 0 {
		slices.Sort(late)
		l.p50, l.p99, l.last = late[len(late)/2], late[len(late)*99/100], late[len(late)-1]
	}
	return l
}

func (l lateness) String() string {
	return fmt.Sprintf("demanded %d, delivered %d, missing %d, doubled %d; late p50 %v, p99 %v, last %v",
		l.demanded, l.delivered, l.missing, l.doubled, l.p50.Round(time.Millisecond), l.p99.Round(time.Millisecond), l.last.Round(time.Millisecond))
}

// benchDue creates jobs that are all due in the same second and measures when the
// last one is called.
func benchDue(ctx context.Context, s settings, dir string) error {
	r, err := startRig(ctx, s, dir)
	if err != nil {
		return err
	}
	defer r.close()
	reference, err := bareClientRate(r.target.URL, 64)
	if err != nil {
		return err
	}
	const interval = 60
	// The creation must not straddle the slot.
	if err := waitPast(ctx, interval, 40); err != nil {
		return err
	}
	rate, err := r.create(ctx, s.due, s.clients, interval)
	if err != nil {
		return err
	}
	slot := time.Now().Truncate(interval * time.Second).Add(interval * time.Second).UTC()
	before := r.target.Count()
	if err := sleepUntil(ctx, slot.Add(20*time.Second)); err != nil {
		return err
	}
	l := measure(r.target.Deliveries()[before:], s.due, []time.Time{slot})
	fmt.Printf("create: %.0f jobs/s with %d clients over 3 nodes\n", rate, s.clients)
	fmt.Printf("due: %d jobs in one second: %v\n", s.due, l)
	fmt.Printf("due: %.0f callbacks/s to the last one; a bare client loop reaches %.0f/s here; ratio %.2f\n",
		float64(l.delivered)/l.last.Seconds(), reference, float64(l.delivered)/l.last.Seconds()/reference)
	return nil
}

// benchSustained keeps one-second jobs going.
func benchSustained(ctx context.Context, s settings, dir string) error {
	r, err := startRig(ctx, s, dir)
	if err != nil {
		return err
	}
	defer r.close()
	reference, err := bareClientRate(r.target.URL, 64)
	if err != nil {
		return err
	}
	if _, err := r.create(ctx, s.rate, s.clients, 1); err != nil {
		return err
	}
	first := time.Now().Truncate(time.Second).Add(5 * time.Second).UTC()
	if err := sleepUntil(ctx, first); err != nil {
		return err
	}
	cpuBefore, err := cpuTime(r.cluster)
	if err != nil {
		return err
	}
	var slots []time.Time
	for i := range s.seconds {
		slots = append(slots, first.Add(time.Duration(i)*time.Second))
	}
	if err := sleepUntil(ctx, slots[len(slots)-1].Add(time.Second)); err != nil {
		return err
	}
	cpuAfter, err := cpuTime(r.cluster)
	if err != nil {
		return err
	}
	if err := sleepUntil(ctx, time.Now().Add(5*time.Second)); err != nil {
		return err
	}
	l := measure(r.target.Deliveries(), s.rate, slots)
	cpu := (cpuAfter - cpuBefore) / time.Duration(max(1, l.delivered))
	fmt.Printf("sustained: %d one-second jobs for %d s: %v\n", s.rate, s.seconds, l)
	fmt.Printf("sustained: %v of CPU a callback, all nodes together; a bare client and target take %v; ratio %.1f\n",
		cpu.Round(time.Microsecond), time.Duration(2e9/reference).Round(time.Microsecond), float64(cpu)*reference/2e9)
	return nil
}

// waitPast waits until a multiple of interval seconds lies behind, if less than
// room seconds are left before it.
func waitPast(ctx context.Context, interval, room int) error {
	now := time.Now()
	next := now.Truncate(time.Duration(interval) * time.Second).Add(time.Duration(interval) * time.Second)
	if next.Sub(now) >= time.Duration(room)*time.Second {
		return nil
	}
	return sleepUntil(ctx, next.Add(time.Second))
}

func sleepUntil(ctx context.Context, t time.Time) error {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
