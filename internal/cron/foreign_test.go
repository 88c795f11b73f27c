package cron

import (
	"strings"
	"testing"
)

// TestParse_Foreign: what other products take is told how it is written here.
func TestParse_Foreign(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]string{
		"rate(5 minutes)":         "intervalSeconds: 300",
		"rate(1 hour)":            "intervalSeconds: 3600",
		" rate( 2 days ) ":        "intervalSeconds: 172800",
		"rate(soon)":              "give intervalSeconds",
		"rate(0 minutes)":         "give intervalSeconds, a whole number",
		"@every 5m":               "intervalSeconds: 300",
		"@every 1h30m":            "intervalSeconds: 5400",
		"@every 10ms":             "give intervalSeconds, a whole number",
		"@every":                  "give intervalSeconds",
		"cron(0 10 * * ? *)":      "without the year: 0 10 * * *",
		"cron()":                  "write the fields alone",
		"0 10 ? * MON":            "write * instead of ?",
		"0 10 * * ?":              "write * instead of ?",
		"0 0 12 * * ?":            "seconds, as in Quartz and Spring: 0 12 * * *",
		"*/10 * * * * *":          "leave out the first if it is seconds",
		"0 10 * * ? 2027":         "a year, as in EventBridge; leave it out: 0 10 * * *",
		"0 10 * * ? 2027-2030":    "a year, as in EventBridge; leave it out: 0 10 * * *",
		"0 0 12 ? * MON-FRI *":    "those of Quartz; leave out the first, seconds, and the last, the year: 0 12 * * MON-FRI",
		"0 0 12 * * * 2027 again": "exactly five fields are required, not 8",
	} {
		_, err := Parse(expr)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q in it", expr, err, want)
		}
	}
}
