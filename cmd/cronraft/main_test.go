package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/localcluster"
)

// binary is the cronraft that the tests run, built from this tree.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "cronraft-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = filepath.Join(dir, "cronraft")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Stderr = os.Stderr
	code := 1
	if err := build.Run(); err == nil {
		code = m.Run()
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// startCluster starts three servers, which end with the test; a failing test
// prints their logs.
func startCluster(t *testing.T, flags ...string) (context.Context, *localcluster.Cluster) {
	t.Helper()
	return startServers(t, 3, flags...)
}

// startServers is startCluster with another number of them.
func startServers(t *testing.T, count int, flags ...string) (context.Context, *localcluster.Cluster) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	c, err := localcluster.Start(ctx, localcluster.Config{Binary: binary, Dir: t.TempDir(), Nodes: count, Flags: flags})
	t.Cleanup(func() {
		if c != nil {
			c.Close()
			if t.Failed() && testing.Verbose() {
				t.Log(c.Logs())
			}
		}
		cancel()
	})
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	return ctx, c
}

func startTarget(t *testing.T, answer http.HandlerFunc) *localcluster.Target {
	t.Helper()
	target, err := localcluster.StartTarget(answer)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := target.Close(); err != nil {
			t.Error(err)
		}
	})
	return target
}

// call sends a request and wants the status; it decodes data into out unless out
// is nil. While nobody leads, which a busy machine may cause at any time, it tries
// again, as a user would.
func call(ctx context.Context, t *testing.T, c *localcluster.Cluster, node int, method, path, body string, want int, out any) localcluster.Answer {
	t.Helper()
	var answer localcluster.Answer
	err := c.Until(ctx, func() bool {
		var err error
		if answer, err = c.Call(ctx, node, method, path, body); err != nil {
			t.Fatalf("%s %s on node %d: %v", method, path, node, err)
		}
		return answer.Status != http.StatusServiceUnavailable || !strings.Contains(string(answer.Body), `"no_leader"`)
	})
	if err != nil {
		t.Fatalf("%s %s on node %d: no leader: %v", method, path, node, err)
	}
	if answer.Status != want {
		t.Fatalf("%s %s on node %d: status %d, want %d: %s", method, path, node, answer.Status, want, answer.Body)
	}
	if out != nil {
		if err := answer.Data(out); err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	return answer
}

// jobAnswer is the part of a job's JSON that the tests read.
type jobAnswer struct {
	JobID, Name, CronExpression, State, OverlapPolicy string
	IntervalSeconds                                   int
	NextRunAt, CreatedAt                              string
	Version                                           uint64
	RunningCount                                      int
	Counts                                            struct{ Success, Failed, Skipped, Missed, Cancelled int }
	Headers                                           map[string]string
}

// executionAnswer is the part of an execution's JSON that the tests read.
type executionAnswer struct {
	ExecutionID, Trigger, ScheduledAt, StartedAt, Result, NodeID string
	DurationMs, LatenessMs                                       *int64
	HTTPStatus                                                   *int
	Attempt                                                      int
	Error                                                        *struct{ Code, Message string }
	MissedCount                                                  int
}

func createJob(ctx context.Context, t *testing.T, c *localcluster.Cluster, node int, body string) jobAnswer {
	t.Helper()
	var j jobAnswer
	call(ctx, t, c, node, "POST", "/jobs", body, http.StatusCreated, &j)
	return j
}

// history is all of a job's executions, newest first.
func history(ctx context.Context, t *testing.T, c *localcluster.Cluster, node int, id string) []executionAnswer {
	t.Helper()
	var out []executionAnswer
	cursor := ""
	for {
		var page struct {
			Executions []executionAnswer
			NextCursor *string
		}
		call(ctx, t, c, node, "GET", "/jobs/"+id+"/executions?limit=500"+cursor, "", http.StatusOK, &page)
		out = append(out, page.Executions...)
		if page.NextCursor == nil {
			return out
		}
		cursor = "&cursor=" + *page.NextCursor
	}
}

// until waits for a condition and fails the test with what if it does not come.
func until(ctx context.Context, t *testing.T, c *localcluster.Cluster, limit time.Duration, what string, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := c.Until(ctx, condition); err != nil {
		t.Fatalf("%s: not within %v", what, limit)
	}
}
