package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/cronraft/cronraft/internal/checker"
	"github.com/cronraft/cronraft/internal/localcluster"
)

// patience is how long most clients wait for an answer; patient ones wait longer
// than a server works on a request.
const (
	patience = 4 * time.Second
	patient  = 12 * time.Second
)

// reply is what a client knows after it asked.
type reply struct {
	localcluster.Answer
	outcome checker.Outcome
	code    string // of the problem, or what else went wrong
}

// servers is the cluster as clients see it.
type servers interface {
	// Do sends a request to the i-th node, at most once. An error says nothing about
	// what the node has done, unless it comes from dialling.
	Do(ctx context.Context, i int, r localcluster.Request) (localcluster.Answer, error)
	Len() int
	Node(i int) *localcluster.Node
}

var _ servers = (*localcluster.Cluster)(nil)

// ask sends one request to one node.
func ask(ctx context.Context, c servers, node int, r localcluster.Request) reply {
	return askFor(ctx, patience, c, node, r)
}

// askFor waits for the answer for so long.
func askFor(ctx context.Context, limit time.Duration, c servers, node int, r localcluster.Request) reply {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	answer, err := c.Do(ctx, node, r)
	if err != nil {
		return reply{Answer: answer, outcome: outcomeOfError(err), code: "connection"}
	}
	return classify(answer)
}

// outcomeOfError: a request is surely not sent if there was no connection to send
// it on, and else may have done anything.
func outcomeOfError(err error) checker.Outcome {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return checker.Refused
	}
	return checker.Unknown
}

// refusals are the codes of 5xx answers that say that nothing was done.
var refusals = map[string]bool{"no_leader": true, "disk_full": true}

func classify(a localcluster.Answer) reply {
	r := reply{Answer: a}
	if a.Status < http.StatusBadRequest {
		r.outcome = checker.OK
		return r
	}
	var problem struct{ Code string }
	if err := json.Unmarshal(a.Body, &problem); err != nil {
		problem.Code = "no problem document"
	}
	r.code, r.outcome = problem.Code, checker.Unknown
	if a.Status < http.StatusInternalServerError || refusals[problem.Code] {
		r.outcome = checker.Refused
	}
	return r
}

// final reports whether asking again cannot give another answer: all but a
// refusal for want of a leader, or no answer at all.
func (r reply) final() bool {
	return r.outcome == checker.OK || r.outcome == checker.Refused && r.Status != 0 && r.Status < http.StatusInternalServerError
}

// get reads data from a node into v, and reports whether it answered with it.
func get(ctx context.Context, c servers, node int, path string, v any) bool {
	r := ask(ctx, c, node, localcluster.Request{Method: http.MethodGet, Path: path})
	return r.outcome == checker.OK && r.Data(v) == nil
}
