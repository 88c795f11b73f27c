package main

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// referenceTime is how long each reference is measured.
const referenceTime = 3 * time.Second

// bareClientRate is how many requests a second a plain net/http client loop
// makes to the target: what callbacks could reach if nothing else had to be
// done.
func bareClientRate(url string, workers int) (float64, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers}}
	defer client.CloseIdleConnections()
	var count atomic.Int64
	var failure atomic.Value
	end := time.Now().Add(referenceTime)
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for time.Now().Before(end) {
				answer, err := client.Post(url, "application/json", http.NoBody)
				if err != nil {
					failure.Store(err)
					return
				}
				_, _ = io.Copy(io.Discard, answer.Body) // a short answer of our own target
				answer.Body.Close()
				count.Add(1)
			}
		})
	}
	all.Wait()
	if err, ok := failure.Load().(error); ok {
		return 0, fmt.Errorf("bare client: %w", err)
	}
	return float64(count.Load()) / referenceTime.Seconds(), nil
}
