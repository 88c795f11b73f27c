package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"syscall"
	"time"
)

// trace is strace, attached to a node's process to meddle with its system calls.
type trace struct {
	cmd   *exec.Cmd
	ended chan error
}

// attachLimit is how long strace may take to hold of all of a process's threads.
const attachLimit = 10 * time.Second

// attach makes every fsync of the process go wrong in the way that inject says in
// strace's words, for example "error=EIO". What strace prints goes to log. When it
// returns, strace has the process.
func attach(ctx context.Context, pid int, inject string, log io.Writer) (*trace, error) {
	const calls = "fsync,fdatasync"
	t := &trace{ended: make(chan error, 1)}
	t.cmd = exec.Command("strace", "-f", "-p", fmt.Sprint(pid), "-e", "trace="+calls, "-e", "inject="+calls+":"+inject)
	t.cmd.Stdout, t.cmd.Stderr = log, log
	if err := t.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { t.ended <- t.cmd.Wait() }()
	ctx, cancel := context.WithTimeout(ctx, attachLimit)
	defer cancel()
	for {
		if traced(pid) {
			return t, nil
		}
		select {
		case err := <-t.ended:
			t.ended <- err
			return nil, fmt.Errorf("strace of process %d ended: %w", pid, err)
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("strace of process %d: %w", pid, ctx.Err()), t.detach())
		case <-time.After(pollEvery):
		}
	}
}

// traced reports whether every thread of a process has a tracer.
func traced(pid int) bool {
	status, err := threadStatus(pid, "TracerPid:")
	if err != nil || len(status) == 0 {
		return false
	}
	for _, tracer := range status {
		if tracer == "0" {
			return false
		}
	}
	return true
}

// detach lets the process go on by itself, if it still runs.
func (t *trace) detach() error {
	// It fails if strace has ended, which it does when the process has.
	_ = t.cmd.Process.Signal(syscall.SIGINT)
	select {
	case <-t.ended:
	case <-time.After(attachLimit):
		return errors.Join(t.cmd.Process.Kill(), <-t.ended)
	}
	return nil
}

// canTrace says why processes cannot be traced here; empty if they can.
func canTrace(ctx context.Context) string {
	if absent := missing("strace"); absent != "" {
		return "strace is not installed"
	}
	// Tracing others may be forbidden, and an old strace cannot inject.
	sample := exec.Command("sleep", "60")
	if err := sample.Start(); err != nil {
		return err.Error()
	}
	t, err := attach(ctx, sample.Process.Pid, "error=EIO", io.Discard)
	if err == nil {
		err = t.detach()
	}
	err = errors.Join(err, sample.Process.Kill())
	_ = sample.Wait() // killed
	if err != nil {
		return "strace cannot attach to processes here: " + err.Error()
	}
	return ""
}
