package checker

import (
	"fmt"
	"strings"
	"time"
)

// PerKind is how many violations of one kind a report tells of. All are counted.
const PerKind = 20

// Violation is one promise that was broken, once.
type Violation struct {
	Kind      Kind      `json:"kind"`
	Job       string    `json:"job,omitempty"` // its name, or its ID if that is all there is
	Execution string    `json:"execution,omitempty"`
	Slot      time.Time `json:"slot,omitzero"`
	Text      string    `json:"text"`
}

func (v Violation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:", v.Kind)
	if v.Job != "" {
		fmt.Fprintf(&b, " job %q", v.Job)
	}
	if v.Execution != "" {
		fmt.Fprintf(&b, " execution %s", v.Execution)
	}
	if !v.Slot.IsZero() {
		fmt.Fprintf(&b, " slot %s", clock(v.Slot))
	}
	return b.String() + ": " + v.Text
}

// Report is the verdict on a run.
type Report struct {
	Name string `json:"name"`
	Seed uint64 `json:"seed"`
	// Violations are at most PerKind of each kind; Counts has how many there are.
	Violations []Violation  `json:"violations"`
	Counts     map[Kind]int `json:"counts"`
	Stats      Stats        `json:"stats"`
}

// OK reports whether the run kept all promises.
func (r *Report) OK() bool { return len(r.Counts) == 0 }

// String is the report for people.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (seed %d): ", r.Name, r.Seed)
	if r.OK() {
		b.WriteString("every promise was kept\n")
	} else {
		b.WriteString("PROMISES WERE BROKEN\n")
	}
	for _, kind := range Kinds {
		if r.Counts[kind] > 0 {
			r.describe(&b, kind)
		}
	}
	b.WriteString(r.Stats.String())
	return b.String()
}

func (r *Report) describe(b *strings.Builder, kind Kind) {
	fmt.Fprintf(b, "  %s: %d\n", kind, r.Counts[kind])
	for _, v := range r.Violations {
		if v.Kind == kind {
			fmt.Fprintf(b, "    %s\n", v)
		}
	}
	if r.Counts[kind] > PerKind {
		fmt.Fprintf(b, "    and %d more\n", r.Counts[kind]-PerKind)
	}
}

// add notes a violation.
func (r *Report) add(v Violation) {
	r.Counts[v.Kind]++
	if r.Counts[v.Kind] <= PerKind {
		r.Violations = append(r.Violations, v)
	}
}

// clock is an instant as reports write it.
func clock(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
