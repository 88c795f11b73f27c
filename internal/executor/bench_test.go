package executor

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/cronraft/cronraft/internal/job"
)

// benchConcurrency is the number of requests open at once on both sides of the
// comparison.
const benchConcurrency = 256

// BenchmarkCallbacks measures signed callbacks, from the batch that assigns them
// to the acknowledged outcome, against a loop of a bare net/http client that
// sends as many plain requests to the same server.
func BenchmarkCallbacks(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	bare := ratePerSecond(b, func() { benchBare(b, server.URL) })
	b.ResetTimer()
	ours := ratePerSecond(b, func() { benchExecutor(b, server.URL) })
	b.ReportMetric(ours, "callbacks/s")
	b.ReportMetric(bare, "bare-requests/s")
	b.ReportMetric(ours/bare, "ratio")
}

func ratePerSecond(b *testing.B, run func()) float64 {
	before := b.Elapsed()
	run()
	return float64(b.N) / (b.Elapsed() - before).Seconds()
}

const benchBody = `{"hello":"world","n":12345}`

func benchBare(b *testing.B, url string) {
	transport := &http.Transport{MaxIdleConnsPerHost: benchConcurrency}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	work := make(chan struct{})
	var workers sync.WaitGroup
	for range benchConcurrency {
		workers.Go(func() {
			for range work {
				resp, err := client.Post(url, "application/json", strings.NewReader(benchBody))
				if err != nil {
					b.Error(err)
					continue
				}
				_ = resp.Body.Close()
			}
		})
	}
	for range b.N {
		work <- struct{}{}
	}
	close(work)
	workers.Wait()
}

// counter is a [Reporter] that counts.
type counter struct{ left sync.WaitGroup }

func (c *counter) Report(_ context.Context, outcomes []job.Outcome) error {
	c.left.Add(-len(outcomes))
	return nil
}

func benchExecutor(b *testing.B, url string) {
	reporter := &counter{}
	reporter.left.Add(b.N)
	e := New(Config{Incarnation: testIncarnation, Reporter: reporter, Concurrency: benchConcurrency})
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	const size = 100
	batch := make([]job.Assignment, 0, size)
	for n := range b.N {
		a := assignment(n, url)
		a.Target.Body, a.SigningKeys = new(benchBody), []string{"cron_live_0123456789abcdef"}
		if batch = append(batch, a); len(batch) == size || n == b.N-1 {
			if _, err := e.Accept(job.Batch{Term: 1, Assignments: batch}); err != nil {
				b.Error(err)
			}
			batch = batch[:0]
		}
	}
	reporter.left.Wait()
	cancel()
	if err := <-done; err != nil {
		b.Error(err)
	}
}
