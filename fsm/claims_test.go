package fsm

import (
	"reflect"
	"testing"

	"github.com/cronraft/cronraft/internal/job"
)

// named is a change of a job that gives it an external ID; version zero creates it.
func named(id job.ID, version uint64, externalID string) job.PutJob {
	p := put(id, at(1), spec(job.OverlapSkip)).Jobs[0]
	p.Job.Version, p.Job.ExternalID = version, externalID
	return p
}

func gone(id job.ID) job.PutJob {
	return job.PutJob{Delete: true, Job: job.Job{ID: id, Spec: spec(job.OverlapSkip)}}
}

// codes are what the parts of a decision were refused with; empty if not.
func (n *node) codes(d job.PutJobs) []job.Code {
	n.Helper()
	var codes []job.Code
	for _, item := range n.submit(d).Items {
		if item.Err == nil {
			codes = append(codes, "")
		} else {
			codes = append(codes, item.Err.Code)
		}
	}
	return codes
}

func (n *node) wantCodes(what string, d job.PutJobs, want ...job.Code) {
	n.Helper()
	before := n.contents()
	if got := n.codes(d); !reflect.DeepEqual(got, want) {
		n.Errorf("%s: got %q, want %q", what, got, want)
	}
	refused := false
	for _, code := range want {
		refused = refused || code != ""
	}
	if d.Whole && refused && n.contents() != before {
		n.Errorf("%s: it was refused, and changed the state", what)
	}
}

func (n *node) wantOwner(namespace, externalID string, want job.ID) {
	n.Helper()
	j, err := n.JobByExternalID(namespace, externalID)
	if want == 0 {
		equal(n, externalID+": error", job.CodeOf(err), job.CodeNotFound)
		return
	}
	n.must(err)
	equal(n, externalID, j.ID, want)
}

func TestExternalID(t *testing.T) {
	t.Parallel()
	n := raised(t)
	n.do(job.PutJobs{At: at(1), Jobs: []job.PutJob{named(1, 0, "x")}})
	n.wantOwner(job.DefaultNamespace, "x", 1)
	n.wantOwner("other", "x", 0)
	n.refused(job.Errorf(job.CodeConflict, ""), job.PutJobs{At: at(1), Jobs: []job.PutJob{named(2, 0, "x")}})
	other := named(3, 0, "x")
	other.Job.Namespace = "other"
	n.wantCodes("another namespace, and none", job.PutJobs{At: at(1), Jobs: []job.PutJob{other, named(2, 0, "")}}, "", "")
	n.wantOwner("other", "x", 3)
	n.refused(job.Errorf(job.CodeConflict, ""), job.PutJobs{At: at(2), Jobs: []job.PutJob{named(2, 1, "x")}})
	n.do(job.PutJobs{At: at(2), Jobs: []job.PutJob{named(1, 1, "x")}})
	n.wantCodes("given up, and taken", job.PutJobs{At: at(2), Jobs: []job.PutJob{named(1, 2, "y"), named(2, 1, "x")}}, "", "")
	n.wantOwner(job.DefaultNamespace, "y", 1)
	n.wantOwner(job.DefaultNamespace, "x", 2)
	n.do(job.DeleteJob{At: at(3), ID: 2})
	n.wantOwner(job.DefaultNamespace, "x", 0)
	n.do(job.PutJobs{At: at(4), Jobs: []job.PutJob{named(1, 3, "")}})
	equal(t, "external IDs", len(n.keysOf(externalPrefix)), 1)
}

func TestPutJobs_Delete(t *testing.T) {
	t.Parallel()
	n := raised(t)
	n.do(plan(1))
	wrong, elsewhere := gone(jobA), gone(jobA)
	wrong.Job.Version, elsewhere.Job.Namespace = 9, "other"
	n.wantCodes("each by itself", job.PutJobs{At: at(2), Jobs: []job.PutJob{wrong, elsewhere, gone(jobB), gone(jobA), gone(jobA)}},
		job.CodePreconditionFailed, job.CodeNotFound, job.CodeNotFound, "", job.CodeNotFound)
	equal(t, "jobs", n.JobCount(), 0)
	equal(t, "its execution", n.phase(slotID(1)), job.PhaseAborting)
}

func TestPutJobs_Whole(t *testing.T) {
	t.Parallel()
	whole := func(parts ...job.PutJob) job.PutJobs { return job.PutJobs{At: at(2), Whole: true, Jobs: parts} }
	due := named(1, 1, "x")
	due.Due = at(9)
	tests := map[string]struct {
		d    job.PutJobs
		want []job.Code
	}{
		"all go":                         {whole(named(3, 0, "z"), named(1, 1, "w"), gone(2)), []job.Code{"", "", ""}},
		"a version":                      {whole(named(3, 0, "z"), named(1, 9, "x")), []job.Code{job.CodeConflict, job.CodePreconditionFailed}},
		"one is gone":                    {whole(named(1, 1, "x"), gone(9)), []job.Code{job.CodeConflict, job.CodeNotFound}},
		"an ID is taken":                 {whole(named(3, 0, ""), named(1, 0, "")), []job.Code{job.CodeConflict, job.CodeConflict}},
		"an external ID is taken":        {whole(named(3, 0, "x")), []job.Code{job.CodeConflict}},
		"taken in the decision":          {whole(named(3, 0, "z"), named(4, 0, "z"), named(5, 0, "")), []job.Code{job.CodeConflict, job.CodeConflict, job.CodeConflict}},
		"given up before it is taken":    {whole(named(1, 1, "w"), named(2, 1, "x")), []job.Code{"", ""}},
		"deleted before it is taken":     {whole(gone(1), named(3, 0, "x")), []job.Code{"", ""}},
		"given up after it is taken":     {whole(named(2, 1, "x"), named(1, 1, "w")), []job.Code{job.CodeConflict, job.CodeConflict}},
		"a slot that is no longer due":   {whole(due), []job.Code{job.CodeConflict}},
		"one job twice":                  {whole(named(1, 1, "x"), gone(1)), []job.Code{job.CodeConflict, job.CodeConflict}},
		"nothing":                        {whole(), nil},
		"an external ID that is its own": {whole(named(1, 1, "x"), named(2, 1, "y")), []job.Code{"", ""}},
	}
	for name, tc := range tests {
		n := newNode(t)
		n.do(job.RaiseVersion{Version: 3})
		n.wantCodes(name+", before", job.PutJobs{At: at(1), Jobs: []job.PutJob{named(1, 0, "x"), named(2, 0, "y")}}, "", "")
		n.wantCodes(name, tc.d, tc.want...)
	}
}

// TestPutJobs_WholeAndRefused keeps no answer, and makes no event.
func TestPutJobs_WholeAndRefused(t *testing.T) {
	t.Parallel()
	n := raised(t)
	d := job.PutJobs{At: at(1), Whole: true, Once: once(1, "made"), Jobs: []job.PutJob{named(1, 0, ""), gone(9)}}
	last := n.LastEvent()
	n.wantCodes("refused", d, job.CodeConflict, job.CodeNotFound)
	n.wantCodes("refused again", d, job.CodeConflict, job.CodeNotFound)
	equal(t, "the first is refused for the other's sake", n.submit(d).Items[0].Err, job.ErrStale)
	equal(t, "events", len(n.since(last)), 0)
	d.Jobs = d.Jobs[:1]
	n.do(d)
	equal(t, "kept", string(n.submit(d).Answer), "made")
}
