package main

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/checker"
)

func newTarget(t *testing.T) *target {
	t.Helper()
	x, err := startTarget(context.Background(), "127.0.0.1", map[string]string{"127.0.0.1": "n7"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.close(); err != nil {
			t.Error(err)
		}
	})
	return x
}

// request calls the target as a node would.
func request(ctx context.Context, t *testing.T, x *target, behaviour, attempt string) (int, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, x.url+"/"+behaviour+"/a-job", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"X-Cron-Job-Id": "job_1", "X-Cron-Execution-Id": "ex_1", "Webhook-Id": "ex_1", "X-Cron-Trigger": "CATCHUP",
		"X-Cron-Attempt": attempt, "X-Cron-Scheduled-At": "2026-11-23T10:00:00Z",
	} {
		r.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	return answer.StatusCode, answer.Body.Close()
}

// waitNoted returns the first delivery once it is there and, if so wanted, over.
func waitNoted(t *testing.T, x *target, isOver bool) checker.Delivery {
	t.Helper()
	var d checker.Delivery
	err := until(t.Context(), 10*time.Second, "a noted request", func() bool {
		x.mu.Lock()
		defer x.mu.Unlock()
		if len(x.deliveries) == 0 || isOver && x.deliveries[0].Ended.IsZero() {
			return false
		}
		d = x.deliveries[0]
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestTarget_NotesRequest(t *testing.T) {
	t.Parallel()
	x := newTarget(t)
	began := time.Now()
	if status, err := request(t.Context(), t, x, behaveOK, "2"); err != nil || status != http.StatusOK {
		t.Fatalf("got %d, %v", status, err)
	}
	d := waitNoted(t, x, true)
	if d.Arrived.Before(began) || d.Ended.Before(d.Arrived) || d.Ended.After(time.Now()) {
		t.Errorf("came %v, ended %v", d.Arrived, d.Ended)
	}
	d.Arrived, d.Ended = time.Time{}, time.Time{}
	want := checker.Delivery{
		JobID: "job_1", Job: "a-job", Execution: "ex_1", WebhookID: "ex_1", Trigger: "CATCHUP", Attempt: 2,
		ScheduledAt: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC), Status: http.StatusOK, Node: "n7",
	}
	if d != want {
		t.Errorf("got %+v, want %+v", d, want)
	}
	if len(x.take()) != 1 || len(x.take()) != 0 {
		t.Error("what was taken is still there")
	}
}

func TestTarget_ReleaseEndsHoldingAndFailing(t *testing.T) {
	t.Parallel()
	x := newTarget(t)
	answered := make(chan int, 1)
	go func() {
		status, _ := request(context.Background(), t, x, behaveLong, "1")
		answered <- status
	}()
	if d := waitNoted(t, x, false); !d.Ended.IsZero() {
		t.Fatalf("a request that should be held ended: %+v", d)
	}
	x.release()
	if status := <-answered; status != http.StatusOK {
		t.Errorf("got %d", status)
	}
	if status, err := request(t.Context(), t, x, behaveFail, "1"); err != nil || status != http.StatusOK {
		t.Errorf("a request that was to fail got %d, %v", status, err)
	}
	x.hold()
	if status, err := request(t.Context(), t, x, behaveFail, "1"); err != nil || status == http.StatusOK {
		t.Errorf("after hold, a request that has to fail got %d, %v", status, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := request(ctx, t, x, behaveLong, "1"); err == nil {
		t.Error("after hold, a request is answered at once")
	}
}

func TestTarget_NotesThatClientIsGone(t *testing.T) {
	t.Parallel()
	x := newTarget(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = request(ctx, t, x, behaveLong, "1") // fails, because it is given up
	}()
	waitNoted(t, x, false)
	cancel()
	<-ended
	if d := waitNoted(t, x, true); d.Status != 0 {
		t.Errorf("got status %d", d.Status)
	}
}

func TestIsClosed(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	ctx := withConn(t.Context(), server)
	if isClosed(ctx) {
		t.Error("an open connection counts as closed")
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if err := until(t.Context(), 10*time.Second, "closed", func() bool { return isClosed(ctx) }); err != nil {
		t.Error(err)
	}
}

func TestBehaviours(t *testing.T) {
	t.Parallel()
	fails := map[int]int{} // by attempt, of 100 executions
	for i := range 100 {
		d := checker.Delivery{Execution: time.Duration(i).String()}
		for d.Attempt = 1; d.Attempt <= 3; d.Attempt++ {
			if statusFor(behaveFlaky, d) != http.StatusOK {
				fails[d.Attempt]++
			}
			if statusFor(behaveOK, d) != http.StatusOK || statusFor(behaveFail, d) == http.StatusOK {
				t.Error("a target answers otherwise than its name says")
			}
		}
		if h := holdFor(behaveSlow, d); h < 0 || h > slowHold || h != holdFor(behaveSlow, d) {
			t.Errorf("slow holds for %v", h)
		}
	}
	if fails[1] != 100 || fails[2] == 0 || fails[2] == 100 || fails[3] != 0 {
		t.Errorf("flaky failed %v", fails)
	}
}
