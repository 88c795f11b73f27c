package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/cronraft/cronraft/internal/job"
	"github.com/cronraft/cronraft/internal/localcluster"
	"github.com/cronraft/cronraft/internal/secret"
	"github.com/cronraft/cronraft/node"
)

// memberCommand makes this program a cluster member that takes orders on its
// standard input: the benchmark of a million jobs needs the node's batch command.
const memberCommand = "member"

const (
	bodyBytes   = 300
	jobsPerPut  = 500
	putsAtOnce  = 4
	startLimit  = 2 * time.Minute
	loadLimit   = 10 * time.Minute
	quietPeriod = 10 * time.Second
)

// order is one line that a member gets, answered by one reply line.
type order struct {
	Do    string
	Count int
}

type reply struct {
	Err     string
	Seconds float64
	Leads   bool
	Jobs    int
}

// benchMillion loads jobs into a three-node cluster and measures memory, a
// restart and a compaction of the log.
func benchMillion(ctx context.Context, s settings, dir string) error {
	members, err := startMembers(ctx, dir)
	if err != nil {
		return err
	}
	leader, err := findLeader(ctx, members)
	if err != nil {
		return err
	}
	loaded, err := leader.ask(order{Do: "load", Count: s.million})
	if err != nil {
		return err
	}
	fmt.Printf("million: %d jobs with %d-byte bodies loaded in %.0f s (%.0f/s)\n", s.million, bodyBytes, loaded.Seconds, float64(s.million)/loaded.Seconds)
	compacted, err := leader.ask(order{Do: "compact"})
	if err != nil {
		return err
	}
	syncTime, err := bareSyncTime(dir)
	if err != nil {
		return err
	}
	fmt.Printf("million: log compaction %.3f s; one bare fsync takes %v here; ratio %.0f\n",
		compacted.Seconds, syncTime.Round(10*time.Microsecond), compacted.Seconds/syncTime.Seconds())
	if err := sleepUntil(ctx, time.Now().Add(quietPeriod)); err != nil {
		return err
	}
	if err := printMemory("after the load", members); err != nil {
		return err
	}
	for _, m := range members {
		if err := m.stop(); err != nil {
			return err
		}
	}
	if members, err = startMembers(ctx, dir); err != nil {
		return err
	}
	for _, m := range members {
		fmt.Printf("million: node %d ready %.1f s after its restart\n", m.index+1, m.readyAfter.Seconds())
	}
	if err := printMemory("after the restart", members); err != nil {
		return err
	}
	var errs []error
	for _, m := range members {
		errs = append(errs, m.stop())
	}
	return errors.Join(errs...)
}

func printMemory(when string, members []*member) error {
	for _, m := range members {
		all, anonymous, err := memory(m.cmd.Process.Pid)
		if err != nil {
			return err
		}
		fmt.Printf("million: node %d %s: resident %d MiB, %d MiB of it not backed by files\n", m.index+1, when, all, anonymous)
	}
	return nil
}

// member is the benchmark's side of a child process.
type member struct {
	index      int
	cmd        *exec.Cmd
	in         io.WriteCloser
	out        *bufio.Scanner
	readyAfter time.Duration
}

// startMembers starts all and waits until each is ready.
func startMembers(ctx context.Context, dir string) ([]*member, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var members []*member
	began := time.Now()
	for i := range benchNodes {
		m := &member{index: i, cmd: exec.CommandContext(ctx, self, memberCommand, dir, fmt.Sprint(i))}
		m.cmd.Stderr = os.Stderr
		if m.in, err = m.cmd.StdinPipe(); err != nil {
			return nil, err
		}
		out, err := m.cmd.StdoutPipe()
		if err != nil {
			return nil, err
		}
		m.out = bufio.NewScanner(out)
		if err := m.cmd.Start(); err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	for _, m := range members {
		if _, err := m.ask(order{Do: "ready"}); err != nil {
			return nil, err
		}
		m.readyAfter = time.Since(began)
	}
	return members, nil
}

func findLeader(ctx context.Context, members []*member) (*member, error) {
	for ctx.Err() == nil {
		for _, m := range members {
			r, err := m.ask(order{Do: "leads"})
			if err != nil {
				return nil, err
			}
			if r.Leads {
				return m, nil
			}
		}
	}
	return nil, ctx.Err()
}

func (m *member) ask(o order) (reply, error) {
	line, err := json.Marshal(o)
	if err != nil {
		return reply{}, err
	}
	if _, err := m.in.Write(append(line, '\n')); err != nil {
		return reply{}, fmt.Errorf("member %d: %w", m.index+1, err)
	}
	var r reply
	if !m.out.Scan() {
		return r, fmt.Errorf("member %d ended", m.index+1)
	}
	if err := json.Unmarshal(m.out.Bytes(), &r); err != nil {
		return r, err
	}
	if r.Err != "" {
		return r, fmt.Errorf("member %d: %s: %s", m.index+1, o.Do, r.Err)
	}
	return r, nil
}

// stop closes the member's orders, which ends it.
func (m *member) stop() error {
	return errors.Join(m.in.Close(), m.cmd.Wait())
}

// runMember is the child: a node that follows orders until they end.
func runMember(args []string) error {
	if len(args) != 2 {
		return errors.New("member takes a directory and an index")
	}
	var index int
	if _, err := fmt.Sscan(args[1], &index); err != nil {
		return err
	}
	ctx := context.Background()
	n, err := startMember(ctx, args[0], index)
	if err != nil {
		return err
	}
	answers := json.NewEncoder(os.Stdout)
	orders := bufio.NewScanner(os.Stdin)
	for orders.Scan() {
		var o order
		if err := json.Unmarshal(orders.Bytes(), &o); err != nil {
			return err
		}
		began := time.Now()
		err := obey(ctx, n, o)
		r := reply{Seconds: time.Since(began).Seconds(), Leads: n.Leads()}
		if err != nil {
			r.Err = err.Error()
		}
		if err := answers.Encode(r); err != nil {
			return err
		}
	}
	return n.Stop()
}

func startMember(ctx context.Context, dir string, index int) (*node.Node, error) {
	addr := func(i, offset int) string { return fmt.Sprintf("127.0.0.1:%d", 18400+10*i+offset) }
	key, err := secret.Parse(base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32))))
	if err != nil {
		return nil, err
	}
	cfg := node.Config{
		ID: fmt.Sprintf("n%d", index+1), DataDir: filepath.Join(dir, fmt.Sprint(index)), Secret: key,
		PeerAddr: addr(index, 1), GossipAddr: addr(index, 2), HTTPAddr: addr(index, 0),
		BootstrapExpect: benchNodes, Join: []string{addr(0, 2), addr(1, 2)}, RootKey: localcluster.RootKey, Version: "bench",
	}
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return nil, err
	}
	parts, err := node.Listen(cfg.PeerAddr, cfg.GossipAddr, nil)
	if err != nil {
		return nil, err
	}
	return node.Start(ctx, cfg, parts)
}

func obey(ctx context.Context, n *node.Node, o order) error {
	switch o.Do {
	case "ready":
		return untilReady(ctx, n)
	case "leads":
		return nil
	case "load":
		return load(ctx, n, o.Count)
	case "compact":
		return n.Compact()
	default:
		return fmt.Errorf("unknown order %q", o.Do)
	}
}

func untilReady(ctx context.Context, n *node.Node) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		err := n.Ready(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
	}
}

// load creates count hourly jobs that never come due while it lasts.
func load(ctx context.Context, n *node.Node, count int) error {
	ctx, cancel := context.WithTimeout(ctx, loadLimit)
	defer cancel()
	by, err := n.Keys().Authenticate(ctx, localcluster.RootKey)
	if err != nil {
		return err
	}
	body := strings.Repeat("b", bodyBytes)
	work := make(chan []job.JobChange)
	ended := make(chan error, putsAtOnce)
	for range putsAtOnce {
		go func() {
			var errs []error
			for changes := range work {
				outcomes, _, err := n.Jobs().Change(ctx, by, changes, nil)
				errs = append(errs, err)
				for _, o := range outcomes {
					if o.Err != nil {
						errs = append(errs, o.Err)
					}
				}
			}
			ended <- errors.Join(errs...)
		}()
	}
	for made := 0; made < count; made += jobsPerPut {
		var changes []job.JobChange
		for i := made; i < min(count, made+jobsPerPut); i++ {
			s := job.DefaultSpec()
			s.Name = fmt.Sprintf("job %d", i)
			s.Schedule.Cron = "0 4 1 * *"
			s.Target.URL = fmt.Sprintf("http://127.0.0.1:9/%d", i)
			s.Target.Body = &body
			changes = append(changes, job.JobChange{Spec: &s})
		}
		work <- changes
	}
	close(work)
	var errs []error
	for range putsAtOnce {
		errs = append(errs, <-ended)
	}
	return errors.Join(errs...)
}
