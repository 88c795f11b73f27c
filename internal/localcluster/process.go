package localcluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"
)

// process is one life of a server.
type process struct {
	cmd *exec.Cmd
	// ended is closed when the process has ended; err is set by then.
	ended chan struct{}
	err   error
}

// Restart starts the i-th server, which must not run, with its data.
func (c *Cluster) Restart(i int) error {
	n := c.nodes[i]
	log, err := os.OpenFile(n.LogPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	line := slices.Concat([]string{c.cfg.Binary}, n.flags)
	if c.cfg.Wrap != nil {
		line = c.cfg.Wrap(i, line)
	}
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Stderr, cmd.Stdout = log, log
	// All requests here are of one key. An older binary has no such limit, and would
	// not know the flag.
	cmd.Env = append(os.Environ(), "CRONRAFT_RATE_LIMIT=0")
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", n.ID, err)
	}
	p := &process{cmd: cmd, ended: make(chan struct{})}
	n.process = p
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	return nil
}

// PID is the i-th server's process.
func (c *Cluster) PID(i int) int { return c.nodes[i].process.cmd.Process.Pid }

// Running reports whether the i-th server's process lives, paused or not.
func (c *Cluster) Running(i int) bool {
	p := c.nodes[i].process
	if p == nil {
		return false
	}
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// Kill ends the i-th server with SIGKILL, paused or not.
func (c *Cluster) Kill(i int) error {
	err := c.signal(i, syscall.SIGKILL)
	<-c.nodes[i].process.ended
	return err
}

// Stop ends the i-th server with SIGTERM and returns how it exited.
func (c *Cluster) Stop(i int) error {
	if err := c.signal(i, syscall.SIGTERM); err != nil {
		return err
	}
	p := c.nodes[i].process
	<-p.ended
	return p.err
}

// Pause stops the i-th server with SIGSTOP: it does nothing at all until
// [Cluster.Resume].
func (c *Cluster) Pause(i int) error { return c.signal(i, syscall.SIGSTOP) }

// Resume lets the i-th server go on.
func (c *Cluster) Resume(i int) error { return c.signal(i, syscall.SIGCONT) }

// WaitExit waits until the i-th server has ended by itself, and returns its exit
// code: -1 if a signal ended it.
func (c *Cluster) WaitExit(ctx context.Context, i int) (int, error) {
	p := c.nodes[i].process
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("wait for the end of %s: %w", c.nodes[i].ID, ctx.Err())
	}
}

func (c *Cluster) signal(i int, s os.Signal) error { return c.nodes[i].process.cmd.Process.Signal(s) }
