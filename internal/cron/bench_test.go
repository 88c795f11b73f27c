package cron

import (
	"testing"
	"time"
)

func BenchmarkNext(b *testing.B) {
	for _, c := range []struct{ name, expr, zone string }{
		{"EveryMinute", "* * * * *", "UTC"},
		{"Quarter", "*/15 * * * *", "America/New_York"},
		{"Daily", "30 9 * * *", "Europe/Berlin"},
		{"Workdays", "30 9 * * 1-5", "Asia/Kolkata"},
		{"FirstOfMonth", "0 0 1 * *", "Australia/Sydney"},
		{"DayAndWeekday", "0 0 */2 * 1", "UTC"},
		{"LeapDay", "0 0 29 2 *", "America/Los_Angeles"},
		{"LastWorkday", "0 18 LW * *", "Europe/London"},
		{"FifthMondayInFebruary", "*/5 0 * 2 1#5", "Europe/London"},
	} {
		b.Run(c.name, func(b *testing.B) {
			e, z := mustParse(b, c.expr), mustZone(b, c.zone)
			start := time.Date(2026, time.March, 26, 16, 15, 0, 0, time.UTC)
			at := start
			b.ReportAllocs()
			for b.Loop() {
				next, ok := e.Next(at, z)
				if at = next; !ok {
					at = start
				}
			}
		})
	}
}

func BenchmarkParse_Known(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		mustParse(b, "30 9 * * 1-5")
	}
}

func BenchmarkParse_New(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parse("30 9 * * 1-5"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNewTable(b *testing.B) {
	z := mustZone(b, "America/New_York")
	for b.Loop() {
		newTable(z.Location())
	}
}
