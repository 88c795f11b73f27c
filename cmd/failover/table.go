package main

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// cells are a row of the table.
type cells []string

// heading names the columns.
var heading = cells{
	"fault", "slots", "called", "skipped", "missed", "late p50", "p99", "max", "no record", "doubled: excused", "not excused",
	"writes ok", "refused", "unknown", "longest write gap", "first callback", "verdict",
}

// cells are a result as a row.
func (r *result) cells() cells {
	if r.leftOut != "" {
		row := cells{r.scenario.title}
		for len(row) < len(heading)-1 {
			row = append(row, "")
		}
		return append(row, "left out: "+r.leftOut)
	}
	s := r.numbers
	return cells{
		r.scenario.title, fmt.Sprint(s.slots), fmt.Sprint(s.called), fmt.Sprint(s.skipped), fmt.Sprint(s.missed),
		short(s.late.P50), short(s.late.P99), short(s.late.Max),
		fmt.Sprint(s.missing), fmt.Sprint(s.excused), fmt.Sprint(s.unexcused),
		fmt.Sprint(r.ops.ok), fmt.Sprint(r.ops.refused), fmt.Sprint(r.ops.unknown), short(r.writeGap), short(median(r.firsts)), r.verdict(),
	}
}

func (r *result) verdict() string {
	switch n := len(r.problems); n {
	case 0:
		return "passed"
	case 1:
		return "1 VIOLATION"
	default:
		return fmt.Sprintf("%d VIOLATIONS", n)
	}
}

// short is a duration with as many digits as are of use.
func short(d time.Duration) string {
	switch {
	case d <= 0:
		return "-"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	default:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
}

// widthsOf are the columns' widths that fit the rows.
func widthsOf(rows []cells) []int {
	widths := make([]int, len(heading))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	return widths
}

// line is the row with its columns at their places: words to the left, numbers to
// the right.
func (row cells) line(widths []int) string {
	var b strings.Builder
	for i, cell := range row {
		fill := strings.Repeat(" ", max(0, widths[i]-utf8.RuneCountInString(cell)))
		if i == 0 || i == len(row)-1 {
			b.WriteString(cell + fill + "  ")
		} else {
			b.WriteString(fill + cell + "  ")
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// text lays rows out for a terminal.
func text(rows []cells) string {
	var b strings.Builder
	widths := widthsOf(rows)
	for _, row := range rows {
		b.WriteString(row.line(widths) + "\n")
	}
	return b.String()
}

// markdown is the same table for a page.
func markdown(rows []cells) string {
	var b strings.Builder
	for i, row := range rows {
		b.WriteString("| " + strings.Join(row, " | ") + " |\n")
		if i == 0 {
			b.WriteString("| --- |" + strings.Repeat(" ---: |", len(row)-2) + " --- |\n")
		}
	}
	return b.String()
}
