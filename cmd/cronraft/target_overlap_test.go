package main

import (
	"net/http"
	"strings"
	"sync"
	"testing"
)

// gate is a target's answer that holds each request until it is opened, or the
// caller gives up.
type gate struct {
	opened func()

	free chan struct{}
	// mu guards the counters.
	mu                    sync.Mutex
	open, most, abandoned int
}

func newGate() *gate {
	g := &gate{free: make(chan struct{})}
	g.opened = sync.OnceFunc(func() { close(g.free) })
	return g
}

func (g *gate) answer(_ http.ResponseWriter, r *http.Request) {
	g.add(1, 0)
	defer g.add(-1, 0)
	select {
	case <-r.Context().Done():
		g.add(0, 1)
	case <-g.free:
	}
}

func (g *gate) add(open, abandoned int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open += open
	g.abandoned += abandoned
	g.most = max(g.most, g.open)
}

func (g *gate) counts() (open, most, abandoned int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open, g.most, g.abandoned
}

const everySecond = `"intervalSeconds":1`

// overlapScenes let jobs that are due every second meet a target that holds its
// requests.
func overlapScenes() []scene {
	var scenes []scene
	add := func(policy string, check func(t *testing.T, p *play, g *gate)) {
		g := newGate()
		scenes = append(scenes, scene{
			field: "overlapPolicy_" + policy, schedule: everySecond, job: `"timeoutSeconds":600,"overlapPolicy":"` + policy + `"`, answer: g.answer,
			check: func(t *testing.T, p *play) {
				defer g.opened()
				check(t, p, g)
			},
		})
	}
	add("SKIP", checkSkip)
	add("ALLOW", checkAllow)
	add("CANCEL_PREVIOUS", checkCancelPrevious)
	add("BUFFER_ONE", checkBufferOne)
	return scenes
}

// results counts the job's executions.
func (p *play) results(t *testing.T) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for _, x := range p.records(t) {
		counts[x.text("result")]++
	}
	return counts
}

func checkSkip(t *testing.T, p *play, g *gate) {
	p.wait(t, 1)
	p.until(t, "two slots are skipped", func() bool { return p.results(t)["SKIPPED"] >= 2 })
	same(t, "requests meanwhile", len(p.got()), 1)
	p.refusesToRun(t)
	for _, x := range p.records(t) {
		if x.text("result") == "SKIPPED" {
			same(t, "error", x.code(), "OVERLAP")
		}
	}
	g.opened()
	p.wait(t, 2)
	p.pause(t)
	if _, most, abandoned := g.counts(); most != 1 || abandoned != 0 {
		t.Errorf("%d requests were open at once, %d were given up", most, abandoned)
	}
}

// refusesToRun wants a run by hand to be refused, because of what runs.
func (p *play) refusesToRun(t *testing.T) {
	t.Helper()
	answer := call(p.ctx, t, p.c, p.next(), "POST", "/jobs/"+p.id+"/run", "", http.StatusConflict, nil)
	same(t, "code overlap", strings.Contains(string(answer.Body), `"code":"overlap"`), true)
}

func checkAllow(t *testing.T, p *play, g *gate) {
	p.until(t, "three open requests", func() bool {
		open, _, _ := g.counts()
		return open >= 3
	})
	same(t, "runningCount", p.job(t).number("runningCount") >= 3, true)
	p.pause(t)
	g.opened()
	p.until(t, "the end of all", func() bool { return p.job(t).number("runningCount") == 0 })
	results := p.results(t)
	same(t, "SUCCESS", results["SUCCESS"], len(p.records(t)))
}

func checkCancelPrevious(t *testing.T, p *play, g *gate) {
	p.wait(t, 3)
	p.until(t, "two requests are given up", func() bool {
		_, _, abandoned := g.counts()
		return abandoned >= 2
	})
	p.pause(t)
	g.opened()
	p.until(t, "the end of all", func() bool { return p.job(t).number("runningCount") == 0 })
	for i, x := range p.records(t) {
		if i == 0 {
			same(t, "the last", x.text("result"), "SUCCESS")
			continue
		}
		same(t, "result of a previous one", x.text("result"), "CANCELLED")
		same(t, "error of a previous one", x.code(), "OVERLAP")
	}
}

func checkBufferOne(t *testing.T, p *play, g *gate) {
	p.wait(t, 1)
	p.until(t, "two slots run or wait, and one is skipped", func() bool {
		results := p.results(t)
		return results["RUNNING"] == 2 && results["SKIPPED"] >= 1
	})
	same(t, "requests meanwhile", len(p.got()), 1)
	p.pause(t)
	g.opened()
	p.until(t, "the end of all", func() bool { return p.job(t).number("runningCount") == 0 })
	same(t, "SUCCESS", p.results(t)["SUCCESS"], 2)
	records := p.records(t)
	oldest, buffered := records[len(records)-1], records[len(records)-2]
	got := p.got()
	same(t, "first request", got[0].execution(), oldest.text("executionId"))
	same(t, "second request, which was buffered", got[1].execution(), buffered.text("executionId"))
	same(t, "requests", len(got), 2)
	if _, most, _ := g.counts(); most != 1 {
		t.Errorf("%d requests were open at once", most)
	}
}
