package httpserver

import (
	"math"
	"reflect"
	"testing"
	"time"
)

func TestGetLimits(t *testing.T) {
	t.Parallel()
	s := start(t, "n1", &backend{store: newStore()}, func(c *Config) {
		c.Limits = Limits{Rate: 1000, Burst: 2000, HistoryPerJob: 200, HistoryMaxAge: 720 * time.Hour}
	})
	want := map[string]any{
		"requestsPerSecond": 1000.0, "burst": 2000.0, "maxBodyBytes": 1048576.0, "maxBulkBytes": 4194304.0, "maxBulkJobs": 1000.0, "maxListBytes": 11534336.0, "maxListJobs": 10000.0,
		"maxPageSize": 500.0, "maxBackfillSlots": 10000.0, "maxNextRuns": 100.0, "historyPerJob": 200.0, "historyMaxAgeSeconds": 2592000.0,
		"maxEventStreams": 100.0, "maxWebhooks": 20.0, "maxApiKeys": 1000.0, "maxOpenExecutions": 1000.0,
	}
	if got := s.do("GET", "/limits", "", headerAPIKey, defaultKey).want(200); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	s.do("GET", "/limits?x=1", "").problem(400, "validation_error")
}

func TestGetLimits_None(t *testing.T) {
	t.Parallel()
	got := startLeader(t).do("GET", "/limits", "").want(200)
	if rate, shown := got["requestsPerSecond"]; rate != nil || !shown || got["burst"] != nil {
		t.Errorf("got %v", got)
	}
}

func TestLimits_Validate(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		limits Limits
		ok     bool
	}{
		"none":                 {Limits{}, true},
		"slow":                 {Limits{Rate: minRate, Burst: maxBurst}, true},
		"fast":                 {Limits{Rate: maxRate, Burst: 1}, true},
		"too slow":             {Limits{Rate: minRate / 2, Burst: 1}, false},
		"too fast":             {Limits{Rate: maxRate + 1, Burst: 1}, false},
		"negative":             {Limits{Rate: -1, Burst: 1}, false},
		"no number":            {Limits{Rate: math.NaN(), Burst: 1}, false},
		"no burst":             {Limits{Rate: 1}, false},
		"too large":            {Limits{Rate: 1, Burst: maxBurst + 1}, false},
		"minus streams":        {Limits{Streams: -1}, false},
		"minus streams of all": {Limits{NodeStreams: -1}, false},
	} {
		if err := tt.limits.Validate(); (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
		if tt.ok && tt.limits.Rate > 0 {
			if l := newLimiter(tt.limits.Rate, tt.limits.Burst); l.interval <= 0 || l.window() <= 0 || !l.take("a", time.Now()).ok {
				t.Errorf("%s: a limiter with the interval %v and the window %v", name, l.interval, l.window())
			}
		}
	}
}
