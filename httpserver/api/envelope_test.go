package api

import (
	"encoding/json"
	"testing"
	"time"
)

func TestTime_JSON(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 26, 16, 15, 0, 0, time.UTC)
	berlin := time.FixedZone("CET", 3600)
	for want, given := range map[string]time.Time{
		`"2026-03-26T16:15:00Z"`:     at,
		`"2026-03-26T16:15:00.123Z"`: at.Add(123 * time.Millisecond),
		`"2026-03-26T16:15:00.120Z"`: at.Add(120 * time.Millisecond).In(berlin),
		`"2026-03-26T16:15:01Z"`:     at.Add(time.Second + 999*time.Microsecond),
	} {
		got, err := json.Marshal(Time{given})
		if err != nil || string(got) != want {
			t.Errorf("got %s, want %s (%v)", got, want, err)
		}
		var back Time
		if err := json.Unmarshal(got, &back); err != nil || !back.Equal(given.Truncate(time.Millisecond)) {
			t.Errorf("%s came back as %v (%v)", got, back, err)
		}
	}
}
