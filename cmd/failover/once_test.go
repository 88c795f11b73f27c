package main

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/cronraft/cronraft/internal/checker"
	"github.com/cronraft/cronraft/internal/localcluster"
)

// fakeServers answer with what do says.
type fakeServers struct {
	do func(r localcluster.Request) (localcluster.Answer, error)
}

func (f *fakeServers) Do(_ context.Context, _ int, r localcluster.Request) (localcluster.Answer, error) {
	return f.do(r)
}
func (f *fakeServers) Len() int                    { return 3 }
func (f *fakeServers) Node(int) *localcluster.Node { return &localcluster.Node{ID: "n1"} }

// script answers requests one after the other, and then always with the last.
func script(answers ...localcluster.Answer) *fakeServers {
	next := 0
	return &fakeServers{do: func(localcluster.Request) (localcluster.Answer, error) {
		a := answers[min(next, len(answers)-1)]
		next++
		if a.Status == 0 {
			return a, errors.New("the connection broke")
		}
		return a, nil
	}}
}

func newWorkload(c servers) *workload {
	return &workload{cluster: c, target: &target{url: "http://target"}, prefix: "test", down: new(atomic.Uint64)}
}

var (
	made    = localcluster.Answer{Status: 201, Body: []byte(`{"data":{"jobId":"job_1","version":1}}`)}
	another = localcluster.Answer{Status: 201, Body: []byte(`{"data":{"jobId":"job_2","version":1}}`)}
	broken  = localcluster.Answer{}
	nobody  = localcluster.Answer{Status: 503, Body: []byte(`{"code":"no_leader"}`)}
	unknown = localcluster.Answer{Status: 503, Body: []byte(`{"code":"outcome_unknown"}`)}
	refused = localcluster.Answer{Status: 409, Body: []byte(`{"code":"conflict"}`)}
)

// create writes with or without a key and returns the operation that was noted.
func create(t *testing.T, c *writer, isKeyed bool) checker.Op {
	t.Helper()
	request := localcluster.Request{Method: "POST", Path: "/jobs"}
	if isKeyed {
		request.Header = map[string]string{keyHeader: "k"}
	}
	c.write(t.Context(), checker.Op{Kind: checker.OpCreate, Job: "j"}, request, func(r reply, op *checker.Op) (string, error) {
		var data struct{ JobID string }
		err := r.Data(&data)
		op.JobID = data.JobID
		return data.JobID, err
	})
	if len(c.w.ops) != 1 {
		t.Fatalf("%d operations were noted", len(c.w.ops))
	}
	return c.w.ops[0]
}

func TestWrite_Outcome(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		isKeyed bool
		answers []localcluster.Answer
		want    checker.Outcome
	}{
		"answered":                        {false, []localcluster.Answer{made}, checker.OK},
		"without a key there is one try":  {false, []localcluster.Answer{broken, made}, checker.Unknown},
		"nobody leads":                    {false, []localcluster.Answer{nobody}, checker.Refused},
		"with a key until it is answered": {true, []localcluster.Answer{broken, nobody, unknown, made}, checker.OK},
		"refused after nobody knows what": {true, []localcluster.Answer{unknown, refused}, checker.Unknown},
		"refused after nobody led":        {true, []localcluster.Answer{nobody, refused}, checker.Refused},
		"never answered":                  {true, []localcluster.Answer{broken}, checker.Unknown},
		"nobody ever leads":               {true, []localcluster.Answer{nobody}, checker.Refused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorkload(script(c.answers...))
				op := create(t, w.writer("w"), c.isKeyed)
				if op.Outcome != c.want || op.Outcome == checker.OK && op.JobID != "job_1" {
					t.Errorf("got %s of %q, want %s", op.Outcome, op.JobID, c.want)
				}
				if len(w.complaints) > 0 {
					t.Error(w.complaints)
				}
			})
		})
	}
}

// TestWrite_Repeat answers a request with a key once more, with another job:
// sooner or later, because only some requests are sent again, that is noticed.
func TestWrite_Repeat(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		again localcluster.Answer
		want  string
	}{
		"another job":        {another, "made job_1, and the second time was answered 201"},
		"refused":            {refused, "made job_1, and the second time was answered 409"},
		"the same job":       {made, ""},
		"nobody leads":       {nobody, ""},
		"the answer is lost": {broken, ""},
	} {
		w := newWorkload(nil)
		writer := w.writer("w")
		for range 50 {
			w.cluster, w.ops = script(made, c.again), nil
			create(t, writer, true)
		}
		got := strings.Join(w.complaints, "\n")
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// TestWrite_Suspect complains of answers that cannot be right.
func TestWrite_Suspect(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]int{201: 0, 400: 1, 404: 1, 409: 0, 503: 0} {
		w := newWorkload(script(localcluster.Answer{Status: status, Body: []byte(`{"code":"x","data":{}}`)}))
		create(t, w.writer("w"), false)
		if len(w.complaints) != want {
			t.Errorf("%d: got %q, want %d complaints", status, w.complaints, want)
		}
	}
}
