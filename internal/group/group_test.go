package group

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var errBroken = errors.New("broken")

func untilDone(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestGroup_FirstErrorCancelsTheOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := New(t.Context())
		g.Go(untilDone)
		g.Go(func(context.Context) error { return errBroken })
		g.Go(func(ctx context.Context) error {
			<-ctx.Done()
			return errors.New("a later one")
		})
		if err := g.Wait(); !errors.Is(err, errBroken) {
			t.Errorf("Wait = %v, want %v", err, errBroken)
		}
	})
}

func TestGroup_CancellationIsNoError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		g := New(ctx)
		g.Go(untilDone)
		cancel()
		if err := g.Wait(); err != nil {
			t.Errorf("Wait = %v, want nil", err)
		}
	})
}

func TestGroup_NilEndsOnlyItsOwnGoroutine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := New(t.Context())
		var cancelled atomic.Bool
		g.Go(func(ctx context.Context) error {
			<-ctx.Done()
			cancelled.Store(true)
			return nil
		})
		g.Go(func(context.Context) error { return nil })
		synctest.Wait()
		if cancelled.Load() {
			t.Error("a goroutine that returned nil cancelled the group")
		}
		if err := g.Stop(); err != nil {
			t.Errorf("Stop = %v, want nil", err)
		}
	})
}

func TestGroup_StopWaitsForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := New(t.Context())
		ended := false
		g.Go(func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(time.Second) // slow to tidy up
			ended = true
			return nil
		})
		if err := g.Stop(); err != nil || !ended {
			t.Errorf("Stop = %v with ended = %t, want nil and true", err, ended)
		}
	})
}

func TestGroup_StopTwiceAndBeforeTheFirstGo(t *testing.T) {
	t.Parallel()
	g := New(t.Context())
	for range 2 {
		if err := g.Stop(); err != nil {
			t.Errorf("Stop = %v, want nil", err)
		}
	}
	started := false
	g.Go(func(context.Context) error {
		started = true
		return nil
	})
	if err := g.Wait(); err != nil || started {
		t.Errorf("Wait = %v with started = %t, want nil and false: the group is over", err, started)
	}
}

func TestGroup_GoFromWithin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := New(t.Context())
		g.Go(func(context.Context) error {
			g.Go(func(context.Context) error {
				time.Sleep(time.Second)
				return errBroken
			})
			return nil
		})
		if err := g.Wait(); !errors.Is(err, errBroken) {
			t.Errorf("Wait = %v, want %v", err, errBroken)
		}
	})
}
