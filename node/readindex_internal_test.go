package node

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestRounds_ShareAndNeverLookBack lets many readers arrive while a confirmation
// takes a while: they share few rounds, and none gets an index that was taken
// before it asked.
func TestRounds_ShareAndNeverLookBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var commits, confirmations atomic.Uint64
		r := newRounds(func(context.Context) (uint64, error) {
			confirmations.Add(1)
			index := commits.Load()
			time.Sleep(10 * time.Millisecond)
			return index, nil
		})
		var all sync.WaitGroup
		for range 1000 {
			committed := commits.Add(1)
			all.Go(func() {
				if index, err := r.index(t.Context()); err != nil || index < committed {
					t.Errorf("read at %d (%v) after %d was committed", index, err, committed)
				}
			})
			time.Sleep(100 * time.Microsecond)
		}
		all.Wait()
		if got := confirmations.Load(); got > 20 {
			t.Errorf("1000 readers within 100 ms took %d rounds of 10 ms", got)
		}
	})
}

// TestRounds_OneReaderGivesUp cancels the reader that began a round: the others
// of that round still get their answer.
func TestRounds_OneReaderGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRounds(func(ctx context.Context) (uint64, error) {
			time.Sleep(time.Second)
			return 7, ctx.Err()
		})
		hurried, cancel := context.WithCancel(t.Context())
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { _, err := r.index(hurried); first <- err }()
		go func() {
			index, err := r.index(t.Context())
			if err == nil && index != 7 {
				err = errors.New("another index")
			}
			second <- err
		}()
		cancel()
		<-first
		if err := <-second; err != nil {
			t.Error(err)
		}
	})
}
