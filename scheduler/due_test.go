package scheduler

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cronraft/cronraft/internal/job"
)

// TestDueAt_NeverMoves: the shares of some jobs, as they were when there was first
// jitter.
func TestDueAt_NeverMoves(t *testing.T) {
	t.Parallel()
	spec := job.Spec{Schedule: job.Schedule{Interval: time.Hour}, Jitter: 10 * time.Minute}
	for id, want := range map[job.ID]time.Duration{
		1:                  339_936 * time.Millisecond,
		2:                  354_713 * time.Millisecond,
		0xfedcba9876543210: 288_066 * time.Millisecond,
	} {
		for _, slot := range []time.Time{noon, noon.Add(100 * time.Hour)} {
			due, err := DueAt(id, &spec, slot)
			if err != nil || due.Sub(slot) != want {
				t.Errorf("job %v is due %v after its slot, %v, want %v", id, due.Sub(slot), err, want)
			}
		}
	}
}

func TestDueAt(t *testing.T) {
	t.Parallel()
	const id = 1
	f := func(spec job.Spec, want time.Duration) {
		t.Helper()
		due, err := DueAt(id, &spec, noon)
		if got := due.Sub(noon); err != nil || got != want {
			t.Errorf("%+v: due %v later, %v, want %v", spec, got, err, want)
		}
	}
	f(job.Spec{Schedule: everyMinute}, 0)
	f(job.Spec{Schedule: everyMinute, Jitter: time.Hour}, share(id, time.Minute))
	f(job.Spec{Schedule: cronMinute, Jitter: 10 * time.Second}, share(id, 10*time.Second))
	f(job.Spec{Schedule: job.Schedule{RunAt: noon}, Jitter: time.Hour}, share(id, time.Hour))
	last := job.Schedule{Interval: time.Minute, EndAt: noon.Add(time.Second)}
	f(job.Spec{Schedule: last, Jitter: time.Hour}, share(id, time.Hour))
	if _, err := DueAt(id, &job.Spec{Schedule: job.Schedule{Cron: "nonsense"}, Jitter: 1}, noon); err == nil {
		t.Error("DueAt of a schedule that cannot be read: no error")
	}
}

// scheduleOf draws a schedule with slots from noon on.
func scheduleOf(t *rapid.T) job.Schedule {
	s := job.Schedule{Timezone: "UTC"}
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 0:
		s.Cron = rapid.SampledFrom([]string{"* * * * *", "*/7 * * * *", "0,1,30 * * * *", "0 12,14 * * *"}).Draw(t, "cron")
	case 1:
		s.Interval = time.Duration(rapid.IntRange(1, 4000).Draw(t, "interval")) * time.Second
	default:
		s.Interval = time.Duration(rapid.IntRange(1, 4000).Draw(t, "interval")) * time.Second
		s.StartAt = noon.Add(time.Duration(rapid.IntRange(0, 100_000).Draw(t, "start")) * time.Millisecond)
	}
	if rapid.Bool().Draw(t, "ends") {
		s.EndAt = noon.Add(time.Duration(rapid.IntRange(4000, 20_000).Draw(t, "end")) * time.Second)
	}
	return s
}

func jitterOf(t *rapid.T) time.Duration {
	return time.Duration(rapid.SampledFrom([]int{0, 1, 20, 90, 3600, 86400}).Draw(t, "jitter")) * time.Second
}

// TestDueAt_BeforeTheNextSlot: the slots of a job are due in their order, each
// before the next one.
func TestDueAt_BeforeTheNextSlot(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		id := job.ID(rapid.Uint64().Draw(t, "id"))
		spec := job.Spec{Schedule: scheduleOf(t), Jitter: jitterOf(t)}
		slot, ok, err := Next(spec.Schedule, noon)
		for n := 0; ok && n < 50; n++ {
			due, err := DueAt(id, &spec, slot)
			next, more, err2 := Next(spec.Schedule, slot)
			if err != nil || err2 != nil {
				t.Fatal(err, err2)
			}
			if due.Before(slot) || spec.Jitter > 0 && due.Sub(slot) >= spec.Jitter || more && !due.Before(next) {
				t.Fatalf("%+v: slot %v is due at %v, the next one is %v", spec, slot, due, next)
			}
			if due.Sub(slot)%time.Millisecond != 0 {
				t.Fatalf("due %v after the slot, want whole milliseconds", due.Sub(slot))
			}
			slot, ok = next, more
		}
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestDueAt_SpreadsJobs(t *testing.T) {
	t.Parallel()
	const jobs, parts = 20_000, 20
	spec := job.Spec{Schedule: everyMinute, Jitter: time.Minute}
	for name, idOf := range map[string]func(i int) job.ID{
		"neighbours": func(i int) job.ID { return job.ID(i) },
		"far apart":  func(i int) job.ID { return job.ID(i) << 48 },
	} {
		var count [parts]int
		for i := range jobs {
			due, err := DueAt(idOf(i), &spec, noon)
			if err != nil {
				t.Fatal(err)
			}
			count[due.Sub(noon)*parts/time.Minute]++
		}
		for part, n := range count {
			if n < jobs/parts*8/10 || n > jobs/parts*12/10 {
				t.Errorf("%s: %d of %d jobs are due in part %d of %d", name, n, jobs, part, parts)
			}
		}
	}
}

// TestWalk_BruteForce compares walks with a list of every slot and its due time.
func TestWalk_BruteForce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		spec := job.Spec{Schedule: scheduleOf(t), Jitter: jitterOf(t)}
		table := timetable{id: job.ID(rapid.Uint64().Draw(t, "id")), spec: &spec}
		slot, ok, err := Next(spec.Schedule, noon)
		if !ok || err != nil {
			t.Skip("no slot")
		}
		end := slot.Add(time.Duration(rapid.IntRange(0, 15_000_000).Draw(t, "late")) * time.Millisecond)
		want := walked{latest: slot, arrived: true}
		for {
			next, ok, err := Next(spec.Schedule, want.latest)
			if err != nil {
				t.Fatal(err)
			}
			want.next = next
			if !ok {
				break
			}
			if due, err := DueAt(table.id, &spec, next); err != nil || due.After(end) {
				break
			}
			want.before, want.latest = want.latest, next
			want.passed++
		}
		if spec.Schedule.Cron != "" && want.passed >= maxWalk {
			t.Skip("too long to walk at once")
		}
		got, err := table.walk(slot, end)
		got.steps = 0
		if err != nil || got != want {
			t.Fatalf("%+v from %v to %v:\ngot  %+v, %v\nwant %+v", spec, slot, end, got, err, want)
		}
	})
}
