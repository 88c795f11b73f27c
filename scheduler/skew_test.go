package scheduler

import (
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// logged takes note of what is logged.
type logged struct {
	mu    sync.Mutex // guards lines
	lines []string
}

func (l *logged) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, string(line))
	return len(line), nil
}

// count is how many lines have the text in them.
func (l *logged) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, line := range l.lines {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// skews gathers the skew metric by peer.
func skews(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == metricSkew {
				values[m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
			}
		}
	}
	return values
}

func TestSkew_MetricWarningAndStatus(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("n1", "n2", "n3")
		w.node("n2", func(n *fakeNode) { n.ahead = -2 * time.Second })
		w.node("n3", func(n *fakeNode) { n.ahead, n.delay = 550*time.Millisecond, always(100*time.Millisecond) })
		log, registry := &logged{}, prometheus.NewRegistry()
		cfg := w.config()
		cfg.Logger, cfg.Metrics = slog.New(slog.NewTextHandler(log, nil)), NewMetrics(registry)
		term, stop := w.runTerm(t, cfg)
		time.Sleep(10 * time.Second)

		want := map[string]float64{"n1": 0, "n2": -2, "n3": 0.55}
		got := skews(t, registry)
		for peer, skew := range want {
			if math.Abs(got[peer]-skew) > 1e-6 || len(got) != len(want) {
				t.Errorf("the metric says %v, want %v", got, want)
			}
		}
		for _, n := range term.Nodes() {
			if n.Skew.Seconds() != want[n.ID] {
				t.Errorf("Nodes says %v of %s, want %vs", n.Skew, n.ID, want[n.ID])
			}
		}
		// The 550 ms of n3 may be in the 200 ms that its calls take.
		if n := log.count("clock differs"); n != 1 || log.count("peer=n2") != 1 || log.count("skew=-2s") != 1 {
			t.Errorf("%d warnings, want one, about n2: %q", n, log.lines)
		}

		w.node("n2", func(n *fakeNode) { n.ahead = 0 })
		time.Sleep(2 * time.Second)
		w.node("n2", func(n *fakeNode) { n.ahead = time.Minute })
		time.Sleep(10 * time.Second)
		if again, agreed := log.count("clock differs"), log.count("clock agrees"); again != 2 || agreed != 1 {
			t.Errorf("%d warnings and %d all-clears, want one more each time it goes wrong, and one", again, agreed)
		}
		_ = stop()
		if got := skews(t, registry); len(got) != 0 {
			t.Errorf("the metric says %v after the term, want nothing", got)
		}
	})
}

func TestSkew_UnknownWithoutAReading(t *testing.T) {
	t.Parallel()
	log := &logged{}
	cfg := Config{Logger: slog.New(slog.NewTextHandler(log, nil))}.withDefaults()
	watch := clockWatch{cfg: cfg, peer: "n2", logger: cfg.Logger}
	if got := watch.measure(time.Time{}, time.Second); got != 0 || log.count("clock") != 0 {
		t.Errorf("skew without a reading = %v, logged %q; want nothing", got, log.lines)
	}
}

func TestSkew_ByTheLeadersWallClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("n1", "n2")
		w.setClock(-time.Hour)
		term := w.start(t)
		if got := term.Nodes()[1].Skew; got != time.Hour {
			t.Errorf("skew = %v, want 1h: it is the leader that is behind", got)
		}
	})
}
