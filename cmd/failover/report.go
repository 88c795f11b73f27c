package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/cronraft/cronraft/internal/checker"
)

// notableStall is how long the suite may stand still without a remark.
const notableStall = 200 * time.Millisecond

// shownProblems is how many of a scenario's violations are shown.
const shownProblems = 30

// recheck checks a history from its file. What is not in it, which are the
// registers and what the clients complained of, is not checked again.
func recheck(w io.Writer, s settings) error {
	h, err := checker.Load(s.recheck)
	if err != nil {
		return err
	}
	sc, ok := scenarioOf(h.Name)
	if !ok {
		return fmt.Errorf("%s is of %q, and there is no such scenario", s.recheck, h.Name)
	}
	r := &result{scenario: sc, history: s.recheck}
	for _, op := range h.Ops {
		r.ops.add(op.Outcome)
	}
	for _, f := range h.Faults {
		r.firsts = append(r.firsts, firstAfter(f.From, h.Deliveries)...)
	}
	r.judge(h, s.strict)
	return report(w, settings{}, []*result{r})
}

// report prints the whole table and what is wrong, which is also its error.
func report(w io.Writer, s settings, results []*result) error {
	if len(results) == 0 {
		return nil
	}
	rows := []cells{heading}
	ran, broken := 0, 0
	for _, r := range results {
		rows = append(rows, r.cells())
		broken += len(r.problems)
		if r.leftOut == "" {
			ran++
		}
	}
	fmt.Fprintf(w, "\n%s", text(rows))
	for _, r := range results {
		fmt.Fprint(w, r.remarks())
	}
	if s.markdown != "" {
		if err := os.WriteFile(s.markdown, []byte(markdown(rows)), 0o644); err != nil {
			return err
		}
	}
	switch {
	case ran == 0:
		return errors.New("every scenario was left out: nothing was tried")
	case broken == 1:
		return errors.New("1 violation")
	case broken > 0:
		return fmt.Errorf("%d violations", broken)
	default:
		return nil
	}
}

// remarks are what the row has no room for.
func (r *result) remarks() string {
	var b strings.Builder
	if len(r.firsts) > 1 {
		fmt.Fprintf(&b, "\n%s: first callbacks after", r.scenario.title)
		for _, first := range r.firsts {
			b.WriteString(" " + short(first))
		}
		fmt.Fprintf(&b, "; median %s\n", short(median(r.firsts)))
	}
	if r.stood > notableStall {
		fmt.Fprintf(&b, "\n%s: the machine was so busy that the suite itself did not run for %s\n", r.scenario.title, short(r.stood))
	}
	if n := len(r.diskStood); n > 0 {
		fmt.Fprintf(&b, "\n%s: the machine's disk stood still %d times, for %s at most, which excuses what was late or missed then\n",
			r.scenario.title, n, short(longestFault(r.diskStood)))
	}
	if r.numbers.undecided > 0 {
		fmt.Fprintf(&b, "\n%s: of %d jobs nothing is known for certain, because of writes of unknown outcome\n", r.scenario.title, r.numbers.undecided)
	}
	if len(r.problems) > 0 {
		fmt.Fprintf(&b, "\n%s: %s (history and logs: %s)\n", r.scenario.title, r.verdict(), r.history)
	}
	for i, p := range r.problems {
		if i == shownProblems {
			fmt.Fprintf(&b, "  - and %d more\n", len(r.problems)-i)
			break
		}
		fmt.Fprintln(&b, "  - "+p)
	}
	return b.String()
}
