package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/cronraft/cronraft/internal/checker"
)

const (
	probeEvery = 100 * time.Millisecond
	// probeLimit is how long a durable write of a few bytes may take on a disk that
	// is fit for a cluster.
	probeLimit = 500 * time.Millisecond
)

// diskProbe notes when the disk that the nodes share stands still, which it may on
// a machine that others use too. No cluster commits anything meanwhile, so the
// checker has to know. Its methods may be called from any goroutine.
type diskProbe struct {
	file *os.File

	// mu guards the fields below.
	mu    sync.Mutex
	began time.Time // of the write under way; zero for none
	list  []stall
}

func newDiskProbe(folder string) (*diskProbe, error) {
	file, err := os.Create(filepath.Join(folder, "probe"))
	if err != nil {
		return nil, fmt.Errorf("watch the disk: %w", err)
	}
	return &diskProbe{file: file}, nil
}

// run writes until ctx is done.
func (p *diskProbe) run(ctx context.Context) error {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		p.begin(time.Now())
		_, err := p.file.WriteAt([]byte{1}, 0)
		if err = errors.Join(err, p.file.Sync()); err != nil {
			return fmt.Errorf("watch the disk: %w", err)
		}
		p.end(time.Now())
		select {
		case <-ctx.Done():
			return p.file.Close()
		case <-tick.C:
		}
	}
}

func (p *diskProbe) begin(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.began = now
}

func (p *diskProbe) end(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.began) > probeLimit {
		p.list = append(p.list, stall{p.began, now})
	}
	p.began = time.Time{}
}

// faults are the times in which the disk stood still, up to now: faults of all nodes.
func (p *diskProbe) faults(now time.Time) []checker.Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.list
	if !p.began.IsZero() && now.Sub(p.began) > probeLimit {
		list = append(list[:len(list):len(list)], stall{p.began, now})
	}
	var faults []checker.Fault
	for _, x := range list {
		faults = append(faults, checker.Fault{Kind: checker.FaultDisk, From: x.from, To: x.to})
	}
	return faults
}

func longestFault(faults []checker.Fault) time.Duration {
	var longest time.Duration
	for _, f := range faults {
		longest = max(longest, f.To.Sub(f.From))
	}
	return longest
}
