package httpserver

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestLimiter_BurstThenRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(10, 5)
		for left := 4; left >= 0; left-- {
			if g := l.take("a", time.Now()); !g.ok || g.left != left || g.reset != time.Duration(5-left)*100*time.Millisecond {
				t.Errorf("got %+v, want %d left", g, left)
			}
		}
		if g := l.take("a", time.Now()); g.ok || g.wait != 100*time.Millisecond || g.left != 0 || g.reset != 500*time.Millisecond {
			t.Errorf("an empty bucket gave %+v", g)
		}
		time.Sleep(99 * time.Millisecond)
		if g := l.take("a", time.Now()); g.ok || g.wait != time.Millisecond {
			t.Errorf("a moment too early: %+v", g)
		}
		time.Sleep(time.Millisecond)
		if g := l.take("a", time.Now()); !g.ok || g.left != 0 {
			t.Errorf("after the pause: %+v", g)
		}
		time.Sleep(time.Hour)
		if g := l.take("a", time.Now()); !g.ok || g.left != 4 {
			t.Errorf("a bucket has more than its burst: %+v", g)
		}
	})
}

func TestLimiter_EachItsOwn(t *testing.T) {
	t.Parallel()
	l, now := newLimiter(1, 1), time.Now()
	for _, who := range []string{"a", "b"} {
		if !l.take(who, now).ok || l.take(who, now).ok {
			t.Errorf("%s got another number than one", who)
		}
	}
}

// Whatever the callers do, nobody gets more than the burst and what has come in since.
func TestLimiter_NeverMore(t *testing.T) {
	t.Parallel()
	const burst, rate = 7, 20
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 1))
		l, begin := newLimiter(rate, burst), time.Now()
		granted := 0
		for at := time.Duration(0); at < 10*time.Second; at += time.Duration(random.Int64N(int64(100 * time.Millisecond))) {
			if l.take("a", begin.Add(at)).ok {
				granted++
			}
			if most := burst + int(at.Seconds()*rate); granted > most {
				t.Fatalf("seed %d: %d granted after %v, at most %d", seed, granted, at, most)
			}
		}
		if granted < 150 { // one in 50 ms, from some that come every 50 ms
			t.Errorf("seed %d: only %d granted in 10 s", seed, granted)
		}
	}
}

func TestLimiter_DropsFullBuckets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1, 300)
		l.take("first", time.Now())
		for range 200 {
			l.take("busy", time.Now())
		}
		time.Sleep(sweepEvery)
		l.take("new", time.Now())
		if _, kept := l.full["first"]; kept || len(l.full) != 2 {
			t.Errorf("kept %v", l.full)
		}
	})
}

func TestLimiter_BeyondItsMemory(t *testing.T) {
	t.Parallel()
	l, now := newLimiter(1, 1), time.Now()
	for i := range maxBuckets {
		l.take(fmt.Sprint(i), now)
	}
	if !l.take("one more", now).ok {
		t.Error("the first one beyond got nothing")
	}
	if l.take("another", now).ok || l.take("7", now).ok || len(l.full) > maxBuckets+1 {
		t.Errorf("those beyond do not share a bucket, or there are %d", len(l.full))
	}
}

func limited(rate float64, burst int) func(*Config) {
	return func(c *Config) { c.Limits.Rate, c.Limits.Burst = rate, burst }
}

func TestRateLimit_Headers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := startBare(t, &backend{store: newStore()}, limited(1000, 2000))
		for _, path := range []string{"/jobs", "/nowhere", "/jobs?limit=x"} {
			res := s.ask("GET", path, "", headerAPIKey, rootKey)
			if p, l := res.header(headerRatePolicy), res.header(headerRateLimit); p != `"default";q=2000;w=2` || l != `"default";r=1999;t=1` {
				t.Errorf("%s: RateLimit-Policy %s, RateLimit %s", path, p, l)
			}
			time.Sleep(time.Second)
		}
	})
}

func TestRateLimit_Refuses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := startBare(t, &backend{store: newStore()}, limited(0.25, 2))
		for range 2 {
			if res := s.ask("GET", "/jobs", "", headerAPIKey, rootKey); res.status != 200 {
				t.Fatalf("status %d: %s", res.status, res.body)
			}
		}
		writes := s.writes()
		res := s.ask("POST", "/jobs", tutorialJob, headerAPIKey, rootKey)
		if code := res.codeOf(t); res.status != 429 || code != "rate_limited" || res.header(headerRetryAfter) != "4" {
			t.Errorf("status %d, Retry-After %q: %s", res.status, res.header(headerRetryAfter), res.body)
		}
		if l := res.header(headerRateLimit); l != `"default";r=0;t=8` {
			t.Errorf("RateLimit %s", l)
		}
		if s.writes() != writes {
			t.Error("a refused request has written")
		}
		if res := s.ask("GET", "/jobs", "", headerAPIKey, teamKey); res.status != 200 {
			t.Errorf("another key: status %d", res.status)
		}
		time.Sleep(4 * time.Second)
		if res := s.ask("GET", "/jobs", "", headerAPIKey, rootKey); res.status != 200 {
			t.Errorf("after Retry-After: status %d", res.status)
		}
		wantMetric(t, s.registry, metricLimited, limitedKey, 1)
	})
}

// wantMetric checks a counter or a gauge, by its one label if it has any.
func wantMetric(t *testing.T, r *prometheus.Registry, name, label string, want float64) {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() != name || label != "" && m.GetLabel()[0].GetValue() != label {
				continue
			}
			if got := m.GetCounter().GetValue() + m.GetGauge().GetValue(); got != want {
				t.Errorf("%s{%s} is %v, want %v", name, label, got, want)
			}
			return
		}
	}
	t.Errorf("there is no %s{%s}", name, label)
}

func TestRateLimit_None(t *testing.T) {
	t.Parallel()
	s := startBare(t, &backend{store: newStore()}, limited(0, 0))
	for range 5000 {
		if res := s.ask("GET", "/limits", "", headerAPIKey, rootKey); res.status != 200 || res.header(headerRateLimit) != "" {
			t.Fatalf("status %d, headers %v", res.status, res.headers)
		}
	}
}

// The node that the client asked counts; the leader does not count again.
func TestRateLimit_ForwardedCountsOnce(t *testing.T) {
	t.Parallel()
	leader := start(t, "n1", &backend{store: newStore()}, limited(0.001, 3))
	follower := start(t, "n2", &backend{store: leader.store, follower: true, forward: leader.ServeForwarded}, limited(0.001, 3))
	for left := 2; left >= 0; left-- {
		a := follower.do("POST", "/jobs", tutorialJob)
		a.want(201)
		if got := a.header.Values(headerRateLimit); len(got) != 1 || !strings.HasPrefix(got[0], fmt.Sprintf(`"default";r=%d;`, left)) {
			t.Errorf("RateLimit %q, want %d left", got, left)
		}
	}
	follower.do("POST", "/jobs", tutorialJob).problem(429, "rate_limited")
	if got := leader.do("GET", "/jobs", "").header.Get(headerRateLimit); !strings.HasPrefix(got, `"default";r=2;`) {
		t.Errorf("at the leader: RateLimit %s, want 2 left", got)
	}
}

func TestGuesses_AreSlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := startBare(t, &backend{store: newStore()})
		status := func(key, remote string) int {
			return s.ask("GET", "/limits", "", headerAPIKey, key, headerTestRemote, remote).status
		}
		if got := status(rootKey, "192.0.2.1"); got != 200 {
			t.Fatalf("status %d", got)
		}
		for i := range guessBurst {
			if got := status(fmt.Sprintf("guess-%030d", i), "192.0.2.1"); got != 401 {
				t.Fatalf("guess %d: status %d", i, got)
			}
		}
		res := s.ask("GET", "/limits", "", headerAPIKey, "guess", headerTestRemote, "192.0.2.1")
		if code := res.codeOf(t); code != "rate_limited" || res.header(headerRetryAfter) != "1" {
			t.Errorf("one guess more: status %d, Retry-After %q", res.status, res.header(headerRetryAfter))
		}
		for _, tt := range []struct {
			name, key, remote string
			want              int
		}{
			{"a right one", teamKey, "192.0.2.1", 200},
			{"another right one", rootKey, "192.0.2.1", 200},
			{"a guess from elsewhere", "guess", "192.0.2.2", 401},
			{"a right one from elsewhere", teamKey, "192.0.2.2", 200},
			{"no key", "", "192.0.2.1", 401},
		} {
			if got := status(tt.key, tt.remote); got != tt.want {
				t.Errorf("%s: status %d, want %d", tt.name, got, tt.want)
			}
		}
		s.forgets = true
		if got := status(teamKey, "192.0.2.1"); got != 429 {
			t.Errorf("one that only others know of: status %d", got)
		}
		if got := status(teamKey, "192.0.2.2"); got != 200 {
			t.Errorf("one that only others know of, from elsewhere: status %d", got)
		}
		wantMetric(t, s.registry, metricLimited, limitedAddress, 2)
		time.Sleep(time.Second)
		if got := status(teamKey, "192.0.2.1"); got != 200 {
			t.Errorf("a second later: status %d", got)
		}
		if got := status("guess", "192.0.2.1"); got != 401 {
			t.Errorf("a second later, a guess: status %d", got)
		}
		if got := status("guess", "192.0.2.1"); got != 429 {
			t.Errorf("two guesses in a second: the other has status %d", got)
		}
	})
}

func TestRemoteOf(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"192.0.2.7:4711":                  "192.0.2.7",
		"[::ffff:192.0.2.7]:4711":         "192.0.2.7",
		"[2001:db8:1:2:3:4:5:6]:4711":     "2001:db8:1:2::/64",
		"[2001:db8:1:2:ffff::1%eth0]:471": "2001:db8:1:2::/64",
	} {
		if got := remoteOf(addr(given)); got != want {
			t.Errorf("%s: got %s, want %s", given, got, want)
		}
	}
	if got := remoteOf(&net.UnixAddr{Name: "/run/x", Net: "unix"}); got != "/run/x" {
		t.Errorf("no IP address: %s", got)
	}
}

// addr is an address in text.
type addr string

func (addr) Network() string  { return "tcp" }
func (a addr) String() string { return string(a) }
