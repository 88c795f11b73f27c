package checker

import (
	"encoding/json"
	"os"
	"slices"
	"testing"
	"time"
)

// TestWalk_GoldenVectors compares the walk with instants that neither it nor the
// program's cron engine has computed.
func TestWalk_GoldenVectors(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../testdata/cron/cron-golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		ID, Expr, Zone string
		From           time.Time
		Next           []time.Time
	}
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) < 63 {
		t.Fatalf("only %d vectors", len(vectors))
	}
	for _, v := range vectors {
		t.Run(v.ID, func(t *testing.T) {
			t.Parallel()
			a := &almanac{from: v.From.Add(time.Second), to: v.Next[len(v.Next)-1], sets: map[schedule]*slotSet{}}
			set, err := a.slots(schedule{cron: v.Expr, zone: v.Zone})
			if err != nil {
				t.Fatal(err)
			}
			var want []int64
			for _, next := range v.Next {
				want = append(want, next.Unix())
			}
			if !slices.Equal(set.at, want) {
				t.Errorf("%q in %s after %s: got %v, want %v", v.Expr, v.Zone, v.From, set.at, want)
			}
		})
	}
}

func TestParseCron_Refusals(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "5-1 * * * *", "*/0 * * * *",
		"1,,2 * * * *", "x * * * *", "* * 32W * *", "* * * * 1#6", "* * * * XL", "@never",
	} {
		if _, err := parseCron(text); err == nil {
			t.Errorf("parseCron(%q) took it", text)
		}
	}
}

func TestSlotSet_Interval(t *testing.T) {
	t.Parallel()
	set := &slotSet{every: 7}
	at := func(n int64) time.Time { return time.Unix(n, 0).UTC() }
	if !set.has(at(14)) || set.has(at(15)) || set.has(at(14).Add(1)) {
		t.Error("has: want 14 and neither 15 nor just after 14")
	}
	if next, _ := set.next(at(14)); !next.Equal(at(21)) {
		t.Errorf("next after 14 = %v, want 21", next.Unix())
	}
	for _, tt := range []struct {
		from, to time.Time
		want     int
	}{
		{at(14), at(28), 3}, {at(15), at(27), 1}, {at(15), at(20), 0}, {at(28), at(14), 0}, {at(14).Add(1), at(21), 1}, {at(-7), at(7), 3},
	} {
		if got := set.count(tt.from, tt.to); got != tt.want {
			t.Errorf("count from %d to %d = %d, want %d", tt.from.Unix(), tt.to.Unix(), got, tt.want)
		}
	}
	var seen []int64
	set.each(at(14), at(28), func(s time.Time) { seen = append(seen, s.Unix()) })
	if want := []int64{14, 21}; !slices.Equal(seen, want) {
		t.Errorf("each from 14 before 28 = %v, want %v", seen, want)
	}
}

func TestSlotSet_List(t *testing.T) {
	t.Parallel()
	set := &slotSet{at: []int64{60, 180, 240}}
	at := func(n int64) time.Time { return time.Unix(n, 0).UTC() }
	if !set.has(at(180)) || set.has(at(120)) {
		t.Error("has: want 180 and not 120")
	}
	if got := set.count(at(60), at(239)); got != 2 {
		t.Errorf("count from 60 to 239 = %d, want 2", got)
	}
	if _, ok := set.next(at(240)); ok {
		t.Error("next after the last one: want none")
	}
}
