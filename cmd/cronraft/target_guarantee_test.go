package main

import (
	"fmt"
	"net/http"
	"testing"
)

// TestTarget_DeliveryGuarantee kills a node that holds open requests of two jobs: the
// one that wants its executions at most once gets no second request of any, the
// other one does.
func TestTarget_DeliveryGuarantee(t *testing.T) {
	t.Parallel()
	s := newStage(t, "--election-timeout", "2s", "--node-lost-after", "20s")
	const runs = 6 // so that each node has some
	g := newGate()
	guarantees := []string{"AT_MOST_ONCE", "AT_LEAST_ONCE"}
	plays := make([]*play, len(guarantees))
	for i, guarantee := range guarantees {
		plays[i] = s.begin(t, i, scene{
			field: "deliveryGuarantee_" + guarantee, schedule: never, answer: g.answer,
			job: fmt.Sprintf(`"deliveryGuarantee":%q,"overlapPolicy":"ALLOW","timeoutSeconds":600,"retries":2,"retryDelaySeconds":0`, guarantee),
		})
		for range runs {
			plays[i].run(t)
		}
	}
	held := make([]map[string]string, len(plays))
	for i, p := range plays {
		p.wait(t, runs)
		held[i] = p.nodes(t)
	}
	victim := nodeWithBoth(t, held)
	if err := s.c.Kill(victim); err != nil {
		t.Fatal(err)
	}
	plays[1].wait(t, runs+count(held[1], s.c.Node(victim).ID))
	g.opened()
	name := s.c.Node(victim).ID
	for i, p := range plays {
		p.ended(t, runs)
		t.Run(guarantees[i], func(t *testing.T) { checkGuarantee(t, p, held[i], name, guarantees[i] == "AT_MOST_ONCE") })
	}
	if err := s.c.Restart(victim); err != nil {
		t.Fatal(err)
	}
	ready(s.ctx, t, s.c, victim)
	t.Run("the_node_is_back", func(t *testing.T) {
		for i, p := range plays {
			requests := len(p.got())
			p.outcome(t, p.run(t))
			same(t, "requests of "+guarantees[i], len(p.got()), requests+1)
		}
	})
}

// nodes says which node has each of the job's executions.
func (p *play) nodes(t *testing.T) map[string]string {
	t.Helper()
	nodes := map[string]string{}
	for _, x := range p.records(t) {
		nodes[x.text("executionId")] = x.text("nodeId")
	}
	return nodes
}

func count(nodes map[string]string, node string) (n int) {
	for _, id := range nodes {
		if id == node {
			n++
		}
	}
	return n
}

// nodeWithBoth is a node that has executions of both jobs.
func nodeWithBoth(t *testing.T, held []map[string]string) int {
	t.Helper()
	for i := range 3 {
		id := fmt.Sprintf("n%d", i+1)
		if count(held[0], id) > 0 && count(held[1], id) > 0 {
			return i
		}
	}
	t.Fatalf("no node has executions of both jobs: %v", held)
	return -1
}

// checkGuarantee looks at what became of executions whose node was killed, and of
// the others.
func checkGuarantee(t *testing.T, p *play, held map[string]string, victim string, once bool) {
	requests := map[string][]arrival{}
	for _, a := range p.got() {
		requests[a.execution()] = append(requests[a.execution()], a)
	}
	for id, node := range held {
		x, got := p.outcome(t, id), requests[id]
		attempts := x.list("attempts")
		switch {
		case node != victim:
			same(t, "result", x.text("result"), "SUCCESS")
			same(t, "requests", len(got), 1)
		case once:
			same(t, "result", x.text("result"), "FAILED")
			same(t, "error", x.code(), "NODE_LOST")
			same(t, "httpStatus", x["httpStatus"], nil)
			same(t, "requests", len(got), 1)
			same(t, "attempts", len(attempts), 1)
		default:
			same(t, "result", x.text("result"), "SUCCESS")
			same(t, "httpStatus", x.number("httpStatus"), http.StatusOK)
			if len(got) != 2 || len(attempts) != 2 {
				t.Fatalf("%d requests, %d attempts, want 2: %v", len(got), len(attempts), x)
			}
			same(t, "error of the first attempt", attempts[0].code(), "NODE_LOST")
			same(t, "webhook-id", got[1].Header.Get("webhook-id"), got[0].Header.Get("webhook-id"))
			same(t, "X-Cron-Attempt", got[1].attempt(), "2")
			same(t, "another node", attempts[1].text("nodeId") != victim, true)
		}
	}
}
