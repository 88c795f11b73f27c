package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/anishathalye/porcupine"

	"github.com/cronraft/cronraft/internal/checker"
	"github.com/cronraft/cronraft/internal/localcluster"
)

// during is an operation from one moment to another; to 0: its outcome is
// unknown.
func during(from, to int64, in access, out answer) porcupine.Operation {
	if to == 0 {
		out.isUnknown, to = true, forever
	}
	return porcupine.Operation{Call: from, Return: to, Input: in, Output: out}
}

func TestRegisterModel(t *testing.T) {
	t.Parallel()
	read := access{isRead: true}
	write := func(value string) access { return access{value: value} }
	swap := func(value string, version uint64) access { return access{value: value, ifVersion: version} }
	is := func(value string, version uint64) answer { return answer{value: value, version: version} }
	no := answer{isRejected: true}
	for name, c := range map[string]struct {
		history []porcupine.Operation
		want    bool
	}{
		"read of what was written": {[]porcupine.Operation{during(1, 2, write("a"), is("a", 2)), during(3, 4, read, is("a", 2))}, true},
		"stale read":               {[]porcupine.Operation{during(1, 2, write("a"), is("a", 2)), during(3, 4, read, is("", 1))}, false},
		"early read, at once":      {[]porcupine.Operation{during(1, 5, write("a"), is("a", 2)), during(2, 3, read, is("a", 2)), during(4, 6, read, is("a", 2))}, true},
		"read that goes back":      {[]porcupine.Operation{during(1, 9, write("a"), is("a", 2)), during(2, 3, read, is("a", 2)), during(4, 5, read, is("", 1))}, false},
		"lost write":               {[]porcupine.Operation{during(1, 2, write("a"), is("a", 2)), during(3, 4, write("b"), is("b", 2))}, false},
		"two of one version":       {[]porcupine.Operation{during(1, 4, swap("a", 1), is("a", 2)), during(2, 3, swap("b", 1), is("b", 2))}, false},
		"one of one version":       {[]porcupine.Operation{during(1, 4, swap("a", 1), is("a", 2)), during(2, 3, swap("b", 1), no)}, true},
		"rejected for nothing":     {[]porcupine.Operation{during(1, 2, swap("a", 1), no)}, false},
		"unknown that shows":       {[]porcupine.Operation{during(1, 0, write("a"), answer{}), during(3, 4, read, is("", 1)), during(5, 6, read, is("a", 2))}, true},
		"unknown that never shows": {[]porcupine.Operation{during(1, 0, write("a"), answer{}), during(3, 4, write("b"), is("b", 2)), during(5, 6, read, is("b", 2))}, true},
		"unknown that shows early": {[]porcupine.Operation{during(1, 2, read, is("a", 2)), during(3, 0, write("a"), answer{})}, false},
		"unknown that went by":     {[]porcupine.Operation{during(1, 0, swap("a", 1), answer{}), during(2, 3, write("b"), is("b", 2)), during(4, 5, read, is("a", 3))}, false},
		"unknown, then two":        {[]porcupine.Operation{during(1, 0, write("a"), answer{}), during(2, 3, write("b"), is("b", 3)), during(4, 5, read, is("b", 3))}, true},
	} {
		r := &register{name: "r", history: c.history}
		out := t.TempDir()
		problems, err := linearizable([]*register{r}, out)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, picture := os.Stat(filepath.Join(out, "r.html"))
		if got := len(problems) == 0; got != c.want || got != (picture != nil) {
			t.Errorf("%s: linearizable is %v, want %v; picture: %v", name, got, c.want, picture)
		}
	}
}

func TestAccess_Answer(t *testing.T) {
	t.Parallel()
	job := `{"data":{"description":"a","version":7}}`
	for name, c := range map[string]struct {
		in   access
		a    localcluster.Answer
		want answer
		ok   bool
	}{
		"read":               {access{isRead: true}, localcluster.Answer{Status: 200, Body: []byte(job)}, answer{value: "a", version: 7}, true},
		"read of nothing":    {access{isRead: true}, localcluster.Answer{Status: 503, Body: []byte(`{"code":"outcome_unknown"}`)}, answer{}, false},
		"write":              {access{value: "a"}, localcluster.Answer{Status: 200, Body: []byte(job)}, answer{value: "a", version: 7}, true},
		"write without end":  {access{value: "a"}, localcluster.Answer{Status: 503, Body: []byte(`{"code":"outcome_unknown"}`)}, answer{isUnknown: true}, true},
		"unreadable answer":  {access{value: "a"}, localcluster.Answer{Status: 200, Body: []byte(`{`)}, answer{isUnknown: true}, true},
		"write without lead": {access{value: "a"}, localcluster.Answer{Status: 503, Body: []byte(`{"code":"no_leader"}`)}, answer{}, false},
		"rejected":           {access{value: "a", ifVersion: 3}, localcluster.Answer{Status: 412, Body: []byte(`{"code":"precondition_failed"}`)}, answer{isRejected: true}, true},
		"rejected for what?": {access{value: "a"}, localcluster.Answer{Status: 412, Body: []byte(`{"code":"precondition_failed"}`)}, answer{}, false},
	} {
		r := classify(c.a)
		got, ok := c.in.answer(r)
		if ok != c.ok || ok && (got.isUnknown != c.want.isUnknown || !got.isUnknown && got != c.want) {
			t.Errorf("%s: got %+v %v of a %s reply, want %+v %v", name, got, ok, r.outcome, c.want, c.ok)
		}
	}
}

func TestAccess_Request(t *testing.T) {
	t.Parallel()
	r := access{value: "a", ifVersion: 3}.request("job_1")
	if r.Method != "PATCH" || r.Path != "/jobs/job_1" || r.Body != `{"description":"a"}` || r.Header["If-Match"] != `"3"` {
		t.Errorf("got %+v", r)
	}
}

func TestOpCounts(t *testing.T) {
	t.Parallel()
	var c opCounts
	for _, o := range []checker.Outcome{checker.OK, checker.OK, checker.Refused, checker.Unknown, checker.Unknown, checker.Unknown} {
		c.add(o)
	}
	if want := (opCounts{ok: 2, refused: 1, unknown: 3}); c != want {
		t.Errorf("got %+v, want %+v", c, want)
	}
}
