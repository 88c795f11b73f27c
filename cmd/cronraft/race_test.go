package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/cronraft/cronraft/internal/localcluster"
)

const (
	racers = 50
	// raceJob never fires: only requests change it. What it sends is who changed it.
	raceJob = `{"name":"race","intervalSeconds":31536000,"targetUrl":"http://127.0.0.1:9/","body":"1"}`
)

// TestIfMatch_Race lets fifty writers on three nodes read a job and change it with
// If-Match, over and over: exactly one wins each version.
func TestIfMatch_Race(t *testing.T) {
	t.Parallel()
	ctx, c := startCluster(t)
	r := &race{c: c, job: createJob(ctx, t, c, 0, raceJob).JobID, goal: 100}
	r.run(ctx, t)
	final := r.check(ctx, t, 0)
	if len(r.unknown) == 0 && final != uint64(1+len(r.won)) {
		t.Errorf("the job has version %d after %d wins and no unknown outcome", final, len(r.won))
	}
	for i := range 12 {
		for !raceOnce(ctx, t, c, i) && !t.Failed() {
			t.Log("the leader changed in the middle: once more")
		}
	}
}

// TestIfMatch_RaceOverFailover kills the leader in the middle of such a race. Who was
// told that nobody knows may have won or not; nobody else's change is there.
func TestIfMatch_RaceOverFailover(t *testing.T) {
	t.Parallel()
	ctx, c := startCluster(t)
	leader := leaderOf(ctx, t, c)
	r := &race{c: c, job: createJob(ctx, t, c, 0, raceJob).JobID, goal: 60}
	r.half = func() {
		if err := c.Kill(leader); err != nil {
			t.Error(err)
		}
	}
	r.run(ctx, t)
	if err := c.Restart(leader); err != nil {
		t.Fatal(err)
	}
	ready(ctx, t, c, leader)
	r.check(ctx, t, leader)
	checkSameState(ctx, t, c, []string{r.job})
}

// race is a job that many change at once. Each change adds a line to its body, the
// writer's token, so that the body of version n has n lines: who won which version.
type race struct {
	c    *localcluster.Cluster
	job  string
	goal int // wins, after which the race ends
	// half is called once, when half of the goal is reached; nil: not.
	half func()

	// mu guards what follows.
	mu sync.Mutex
	// won has the version that a writer was told to have made, by its token.
	won map[string]uint64
	// unknown are the tokens of which nobody could say whether they took effect.
	unknown map[string]bool
	lost    int // changes that were refused
	faults  []string
}

func (r *race) run(ctx context.Context, t *testing.T) {
	t.Helper()
	r.won, r.unknown = map[string]uint64{}, map[string]bool{}
	var writers sync.WaitGroup
	for i := range racers {
		writers.Go(func() {
			for try := 0; r.goesOn(ctx); try++ {
				r.write(ctx, i+try, fmt.Sprintf("w%d-%d", i, try))
			}
		})
	}
	writers.Wait()
	if ctx.Err() != nil {
		t.Fatalf("the race was not won within the time of the test: %d wins", len(r.won))
	}
	for _, fault := range r.faults {
		t.Error(fault)
	}
	if r.lost < r.goal {
		t.Errorf("%d writers won %d times and lost %d times: that was no race", racers, len(r.won), r.lost)
	}
	t.Logf("%d wins, %d refusals, %d unknown", len(r.won), r.lost, len(r.unknown))
}

// goesOn reports whether the goal is not reached, and calls half on the way.
func (r *race) goesOn(ctx context.Context) bool {
	r.mu.Lock()
	wins, half := len(r.won), r.half
	if wins >= r.goal/2 {
		r.half = nil
	}
	r.mu.Unlock()
	if half != nil && wins >= r.goal/2 {
		half()
	}
	return wins < r.goal && ctx.Err() == nil
}

// write reads the job on one node and changes it on another.
func (r *race) write(ctx context.Context, node int, token string) {
	path := "/jobs/" + r.job
	read, err := r.c.Call(ctx, node%r.c.Len(), "GET", path, "")
	var j struct {
		Body    string
		Version uint64
	}
	if err != nil || read.Status != http.StatusOK || read.Data(&j) != nil {
		return // nobody leads, or the node is gone
	}
	if lines := strings.Count(j.Body, "\n") + 1; uint64(lines) != j.Version || read.Header.Get("ETag") != fmt.Sprintf(`"%d"`, j.Version) {
		r.fault("version %d, ETag %s, has a body of %d lines", j.Version, read.Header.Get("ETag"), lines)
	}
	body, err := json.Marshal(map[string]string{"body": j.Body + "\n" + token})
	if err != nil {
		r.fault("%v", err)
	}
	answer, err := r.c.Do(ctx, (node+1)%r.c.Len(), localcluster.Request{
		Method: "PATCH", Path: path, Body: string(body), Header: map[string]string{"If-Match": read.Header.Get("ETag")},
	})
	r.note(token, j.Version, answer, err)
}

// note accounts for the answer to a change of the version.
func (r *race) note(token string, from uint64, answer localcluster.Answer, err error) {
	if err != nil {
		if !errors.Is(err, syscall.ECONNREFUSED) {
			r.mu.Lock()
			r.unknown[token] = true
			r.mu.Unlock()
		}
		return
	}
	var p struct{ Code string }
	if err := json.Unmarshal(answer.Body, &p); err != nil {
		r.fault("%s: %v: %s", token, err, answer.Body)
	}
	switch status := answer.Status; {
	case status == http.StatusOK:
		if want := fmt.Sprintf(`"%d"`, from+1); answer.Header.Get("ETag") != want {
			r.fault("%s changed version %d and got the ETag %s", token, from, answer.Header.Get("ETag"))
		}
		r.mu.Lock()
		r.won[token] = from + 1
		r.mu.Unlock()
	case status == http.StatusPreconditionFailed && p.Code == "precondition_failed":
		r.mu.Lock()
		r.lost++
		r.mu.Unlock()
	case status == http.StatusServiceUnavailable && p.Code == "outcome_unknown":
		r.mu.Lock()
		r.unknown[token] = true
		r.mu.Unlock()
	case status == http.StatusServiceUnavailable && p.Code == "no_leader": // it took no effect
	default:
		r.fault("%s: status %d: %s", token, status, answer.Body)
	}
}

func (r *race) fault(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}

// check reads the job and compares it with what the writers were told. It returns its
// version.
func (r *race) check(ctx context.Context, t *testing.T, node int) uint64 {
	t.Helper()
	var j struct {
		Body    string
		Version uint64
	}
	call(ctx, t, r.c, node, "GET", "/jobs/"+r.job, "", http.StatusOK, &j)
	lines := strings.Split(j.Body, "\n")
	if uint64(len(lines)) != j.Version {
		t.Errorf("version %d has %d changes", j.Version, len(lines)-1)
	}
	at := map[string]uint64{}
	for i, token := range lines[1:] {
		version := uint64(i + 2)
		if before := at[token]; before != 0 {
			t.Errorf("%s made the versions %d and %d", token, before, version)
		}
		if at[token] = version; r.won[token] == 0 && !r.unknown[token] {
			t.Errorf("%s made version %d and was told that it did not", token, version)
		}
	}
	for token, version := range r.won {
		if at[token] != version {
			t.Errorf("%s was told to have made version %d: it made %d", token, version, at[token])
		}
	}
	return j.Version
}

// raceOnce lets twelve writers replace, change and delete the first version of one job
// at the same moment: one of them does. It is false if one was told that nobody knows
// what became of its write.
func raceOnce(ctx context.Context, t *testing.T, c *localcluster.Cluster, round int) bool {
	t.Helper()
	path := "/jobs/" + createJob(ctx, t, c, round%c.Len(), raceJob).JobID
	requests := []localcluster.Request{{Method: "PUT"}, {Method: "DELETE"}, {Method: "PATCH"}}
	answers := make([]localcluster.Answer, 12)
	start := make(chan struct{})
	var writers sync.WaitGroup
	for i := range answers {
		r := requests[(i+round)%len(requests)]
		r.Path, r.Header = path, map[string]string{"If-Match": `"1"`}
		if r.Method != "DELETE" {
			r.Body = strings.Replace(raceJob, `"name":"race"`, fmt.Sprintf(`"name":"writer %d"`, i), 1)
		}
		writers.Go(func() {
			<-start
			answers[i] = ask(ctx, t, c, i%c.Len(), r)
		})
	}
	close(start)
	writers.Wait()
	winner, refusal := "", http.StatusPreconditionFailed
	for i, a := range answers {
		if a.Status == http.StatusServiceUnavailable {
			return false
		}
		if a.Status != http.StatusOK {
			continue
		}
		if winner != "" {
			t.Errorf("%s and writer %d have both changed version 1", winner, i)
		}
		if winner = fmt.Sprintf("writer %d", i); requests[(i+round)%len(requests)].Method == "DELETE" {
			refusal = http.StatusNotFound
		}
	}
	for i, a := range answers {
		// Who came before the winner's write was applied is told that the version is not
		// there any more, whatever took it.
		if a.Status != http.StatusOK && a.Status != refusal && a.Status != http.StatusPreconditionFailed {
			t.Errorf("writer %d got %d: %s", i, a.Status, a.Body)
		}
	}
	checkWinner(ctx, t, c, path, winner, refusal == http.StatusNotFound)
	return true
}

// checkWinner reads on each node what the winner wrote.
func checkWinner(ctx context.Context, t *testing.T, c *localcluster.Cluster, path, winner string, isDeleted bool) {
	t.Helper()
	for node := range c.Len() {
		var j jobAnswer
		a := ask(ctx, t, c, node, localcluster.Request{Method: "GET", Path: path})
		switch {
		case isDeleted && a.Status == http.StatusNotFound:
		case isDeleted || a.Status != http.StatusOK || a.Data(&j) != nil || j.Version != 2 || j.Name != winner:
			t.Errorf("%q won (deleted: %t), and node %d answers %d: %s", winner, isDeleted, node, a.Status, a.Body)
		}
	}
}
