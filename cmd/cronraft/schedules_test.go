package main

import (
	"slices"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

func TestSchedules_Between(t *testing.T) {
	t.Parallel()
	at := func(minute int) time.Time { return time.Date(2026, 3, 26, 16, minute, 0, 0, time.UTC) }
	for name, tt := range map[string]struct {
		schedule job.Schedule
		from, to time.Time
		limit    int
		want     []time.Time
	}{
		"from counts, to does not": {job.Schedule{Cron: "*/15 * * * *", Timezone: "UTC"}, at(0), at(45), 10, []time.Time{at(0), at(15), at(30)}},
		"a limit":                  {job.Schedule{Interval: 5 * time.Minute, Timezone: "UTC"}, at(1), at(59), 2, []time.Time{at(5), at(10)}},
		"an end":                   {job.Schedule{Interval: 5 * time.Minute, Timezone: "UTC", EndAt: at(10)}, at(0), at(59), 9, []time.Time{at(0), at(5), at(10)}},
		"once":                     {job.Schedule{RunAt: at(7), Timezone: "UTC"}, at(7), at(8), 9, []time.Time{at(7)}},
		"none":                     {job.Schedule{RunAt: at(7), Timezone: "UTC"}, at(8), at(9), 9, nil},
		"no limit left":            {job.Schedule{RunAt: at(7), Timezone: "UTC"}, at(7), at(9), 0, nil},
	} {
		got, err := schedules{}.Between(tt.schedule, tt.from, tt.to, tt.limit)
		if err != nil || !slices.EqualFunc(got, tt.want, time.Time.Equal) {
			t.Errorf("%s: got %v (%v), want %v", name, got, err, tt.want)
		}
	}
	if _, err := (schedules{}).Between(job.Schedule{Cron: "no", Timezone: "UTC"}, at(0), at(1), 1); err == nil {
		t.Error("slots of what is no expression")
	}
}
