package main

import (
	"context"
	"net/http"
	"time"

	"github.com/cronraft/cronraft/internal/checker"
	"github.com/cronraft/cronraft/internal/localcluster"
)

const (
	// tries is how often a request with an Idempotency-Key is sent until it is
	// answered.
	tries = 15
	// againIn is one in how many answered requests with a key are sent once more.
	againIn  = 3
	tryPause = 300 * time.Millisecond
)

// reader takes from an OK reply what op says of it, and returns the name of what
// was made, which repetitions have to answer too.
type reader func(r reply, op *checker.Op) (made string, err error)

// write sends a request for an operation, notes it, and tells its outcome. A
// request with an Idempotency-Key is sent again, wherever, until it is answered,
// and sometimes after that.
func (c *writer) write(ctx context.Context, op checker.Op, request localcluster.Request, read reader) checker.Outcome {
	op.Invoked = time.Now()
	node := c.w.node(c.rng)
	op.Node = c.w.cluster.Node(node).ID
	r := ask(ctx, c.w.cluster, node, request)
	isKeyed := request.Header[keyHeader] != ""
	mayHaveBeen := r.outcome == checker.Unknown
	for i := 1; isKeyed && !r.final() && i < tries && pause(ctx, tryPause) == nil; i++ {
		r = ask(ctx, c.w.cluster, c.w.node(c.rng), request)
		mayHaveBeen = mayHaveBeen || r.outcome == checker.Unknown
	}
	op.Returned, op.Outcome, op.Code = time.Now(), r.outcome, r.code
	if r.outcome != checker.OK && mayHaveBeen {
		op.Outcome = checker.Unknown
	}
	c.suspect(op, r)
	made := c.take(read, r, &op)
	c.w.note(op)
	if op.Outcome == checker.OK && isKeyed && c.rng.IntN(againIn) == 0 {
		c.repeat(ctx, request, read, made)
	}
	return op.Outcome
}

// suspect complains of answers that cannot be right: the requests are valid, and
// the jobs exist, since nobody but their writer deletes them.
func (c *writer) suspect(op checker.Op, r reply) {
	isGone := r.Status == http.StatusNotFound && op.Kind != checker.OpCancel
	if isGone || r.Status == http.StatusBadRequest {
		c.w.complain("%s of %s at %s was answered %d %s", op.Kind, op.Job, op.Node, r.Status, r.Body)
	}
}

func (c *writer) take(read reader, r reply, op *checker.Op) string {
	if read == nil || r.outcome != checker.OK {
		return ""
	}
	made, err := read(r, op)
	if err != nil {
		c.w.complain("the answer to %s of %s cannot be read: %v", op.Kind, op.Job, err)
	}
	return made
}

// repeat sends a request that was answered once more: it has to be answered with
// the same thing.
func (c *writer) repeat(ctx context.Context, request localcluster.Request, read reader, made string) {
	r := ask(ctx, c.w.cluster, c.w.node(c.rng), request)
	if r.outcome == checker.Unknown || !r.final() {
		return
	}
	again := checker.Op{}
	if r.outcome == checker.OK {
		if got, err := read(r, &again); err == nil && got == made {
			return
		}
	}
	c.w.complain("%s %s with the %s %s made %s, and the second time was answered %d %s",
		request.Method, request.Path, keyHeader, request.Header[keyHeader], made, r.Status, r.Body)
}
