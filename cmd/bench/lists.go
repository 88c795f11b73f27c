package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"
)

const (
	// pagesPerList is how many pages of each list are read, at most.
	pagesPerList  = 300
	smallPage     = 50
	largePage     = 500
	referenceName = "one job"
)

// readLists walks through lists of the jobs over HTTP, one page after another, and
// prints how long pages take beside the time of reading one job.
func (r *rig) readLists(ctx context.Context) error {
	one, err := r.oneJob(ctx)
	if err != nil {
		return err
	}
	var reference []time.Duration
	for i := range pagesPerList {
		took, err := r.timed(ctx, i, one, nil)
		if err != nil {
			return err
		}
		reference = append(reference, took)
	}
	_, bare, _ := quantiles(reference)
	fmt.Printf("million: %s: %s\n", referenceName, tell(reference))
	for _, list := range []struct{ name, query string }{
		{"all", ""},
		{"a namespace", "namespace=ns3"},
		{"state", "namespace=ns3&state=PAUSED"},
		{"state, all namespaces", "state=PAUSED"},
		{"tag", "namespace=ns3&tag=team:t3"},
		{"tag and state", "namespace=ns3&tag=team:t3&state=PAUSED"},
		{"rare tag", "tag=rare:yes"},
		{"rare tag and tag", "tag=rare:yes&tag=team:t3"},
		{"name prefix", "namePrefix=job-05"},
		{"name prefix and state", "namespace=ns3&namePrefix=job-05&state=PAUSED"},
		{"name prefix and rare tag", "namePrefix=job-0&tag=rare:yes"},
		{"external ID", "namespace=ns3&externalId=external-3003"},
		{"last result", "lastResult=FAILED"},
	} {
		for _, limit := range []int{smallPage, largePage} {
			times, jobs, err := r.walk(ctx, list.query, limit)
			if err != nil {
				return fmt.Errorf("list by %s: %w", list.name, err)
			}
			_, p99, _ := quantiles(times)
			fmt.Printf("million: list, %s, pages of %d: %s; %d pages with %d jobs; ratio %.1f to %s\n",
				list.name, limit, tell(times), len(times), jobs, float64(p99)/float64(bare), referenceName)
		}
	}
	return nil
}

// walk reads the pages of a list, from its beginning.
func (r *rig) walk(ctx context.Context, query string, limit int) (times []time.Duration, jobs int, err error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, 0, err
	}
	values.Set("limit", fmt.Sprint(limit))
	for len(times) < pagesPerList {
		var page struct {
			Jobs       []struct{ JobID string }
			NextCursor *string
		}
		took, err := r.timed(ctx, len(times), "/jobs?"+values.Encode(), &page)
		if err != nil {
			return nil, 0, err
		}
		times, jobs = append(times, took), jobs+len(page.Jobs)
		if page.NextCursor == nil {
			break
		}
		values.Set("cursor", *page.NextCursor)
	}
	return times, jobs, nil
}

// oneJob is the path of some job.
func (r *rig) oneJob(ctx context.Context) (string, error) {
	var page struct{ Jobs []struct{ JobID string } }
	if _, err := r.timed(ctx, 0, "/jobs?limit=1", &page); err != nil {
		return "", err
	}
	if len(page.Jobs) != 1 {
		return "", fmt.Errorf("a page of one job has %d", len(page.Jobs))
	}
	return "/jobs/" + page.Jobs[0].JobID, nil
}

// timed reads from one node after another, linearizably.
func (r *rig) timed(ctx context.Context, i int, path string, out any) (time.Duration, error) {
	began := time.Now()
	answer, err := r.cluster.Call(ctx, i%r.cluster.Len(), http.MethodGet, path, "")
	took := time.Since(began)
	if err != nil {
		return 0, err
	}
	if answer.Status != http.StatusOK {
		return 0, fmt.Errorf("GET %s: status %d: %s", path, answer.Status, answer.Body)
	}
	if out == nil {
		return took, nil
	}
	return took, answer.Data(out)
}

func quantiles(times []time.Duration) (p50, p99, most time.Duration) {
	times = slices.Sorted(slices.Values(times))
	return times[len(times)/2], times[len(times)*99/100], times[len(times)-1]
}

func tell(times []time.Duration) string {
	p50, p99, most := quantiles(times)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return fmt.Sprintf("p50 %.1f ms, p99 %.1f ms, most %.1f ms", ms(p50), ms(p99), ms(most))
}
