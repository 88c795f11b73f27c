package httpserver

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

const (
	// maxBuckets bounds what a limiter remembers; whoever comes beyond it shares one
	// bucket with the others that do.
	maxBuckets = 1 << 16
	// sweepEvery is how often the buckets are dropped that have filled up.
	sweepEvery = time.Minute
)

// limiter grants each caller so many requests a second in the long run, and so many
// at once: a token bucket each. A bucket is kept as the time at which it is full
// again. One that is full is the same as none, and is dropped.
type limiter struct {
	interval time.Duration // between two tokens
	burst    int

	// mu guards the fields below.
	mu    sync.Mutex
	full  map[string]time.Time
	swept time.Time
}

// newLimiter makes one; rate is per second.
func newLimiter(rate float64, burst int) *limiter {
	return &limiter{interval: time.Duration(float64(time.Second) / rate), burst: burst, full: map[string]time.Time{}}
}

// window is how long an empty bucket takes to fill.
func (l *limiter) window() time.Duration { return time.Duration(l.burst) * l.interval }

// grant is what a limiter says.
type grant struct {
	ok   bool
	left int
	// wait is how long until a request that was refused would not be.
	wait time.Duration
	// reset is how long until the bucket is full.
	reset time.Duration
}

// take takes a token of who's bucket, if there is one.
func (l *limiter) take(who string, now time.Time) grant {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.full[who]; !known && len(l.full) >= maxBuckets {
		who = ""
	}
	g := l.look(who, now)
	if g.ok {
		l.full[who] = now.Add(g.reset)
	}
	l.sweep(now)
	return g
}

// peek is what take would say.
func (l *limiter) peek(who string, now time.Time) grant {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.look(who, now)
}

// look is called with mu held.
func (l *limiter) look(who string, now time.Time) grant {
	reset := max(0, l.full[who].Sub(now))
	after := reset + l.interval
	if over := after - l.window(); over > 0 {
		return grant{wait: over, reset: reset}
	}
	return grant{ok: true, left: int((l.window() - after) / l.interval), reset: after}
}

// sweep is called with mu held.
func (l *limiter) sweep(now time.Time) {
	if now.Sub(l.swept) < sweepEvery {
		return
	}
	l.swept = now
	for who, full := range l.full {
		if !full.After(now) {
			delete(l.full, who)
		}
	}
}

// The names are those of draft-ietf-httpapi-ratelimit-headers-10.
const (
	headerRateLimit  = "RateLimit"
	headerRatePolicy = "RateLimit-Policy"
	policyName       = `"default"`
)

// tell adds the headers that tell the caller where it stands.
func (l *limiter) tell(res *response, g grant) {
	res.with(headerRatePolicy, fmt.Sprintf("%s;q=%d;w=%s", policyName, l.burst, wholeSeconds(l.window())))
	res.with(headerRateLimit, fmt.Sprintf("%s;r=%d;t=%s", policyName, g.left, wholeSeconds(g.reset)))
}

// wholeSeconds rounds up to whole ones, of which there is at least one.
func wholeSeconds(d time.Duration) string {
	return strconv.FormatInt(int64(max(1, math.Ceil(d.Seconds()))), 10)
}

const (
	// guessRate and guessBurst are how many unknown keys an address may send. Whether a
	// key is unknown is asked of other nodes; beyond the limit only this node is asked.
	guessRate  = 1
	guessBurst = 100
	// subscriber is the prefix of IPv6 that one customer has.
	subscriber = 64
)

// remoteOf names the network that an address stands for.
func remoteOf(addr net.Addr) string {
	ap, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return addr.String()
	}
	ip := ap.Addr().Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	return netip.PrefixFrom(ip, subscriber).Masked().String()
}
