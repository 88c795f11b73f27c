package event_test

import (
	"testing"
	"time"

	"github.com/cronraft/cronraft/internal/event"
	"github.com/cronraft/cronraft/internal/job"
)

var at = time.Date(2026, 3, 26, 16, 15, 0, 250e6, time.UTC)

func TestEncode(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		event job.Event
		want  string
	}{
		"an execution that failed": {
			job.Event{
				ID: job.EventID{Index: 12, Part: 3}, Type: job.EventExecutionFailed, At: at, Namespace: "default",
				Job: 0xab, JobName: "nightly <b>", Execution: job.ExecutionID{Job: 0xab, Order: 1}, Trigger: job.TriggerScheduled,
				ScheduledAt: at.Truncate(time.Second), Result: job.Failed, HTTPStatus: 503,
				Err: &job.AttemptError{Code: job.ErrHTTPStatus, Msg: "no"}, Failures: 2,
			},
			`{"id":"12-3","type":"execution.failed","timestamp":"2026-03-26T16:15:00.250Z","namespace":"default","data":{` +
				`"jobId":"job_00000000000000ab","jobName":"nightly \u003cb\u003e","executionId":"ex_00000000000000ab0000000000000001",` +
				`"trigger":"SCHEDULED","scheduledAt":"2026-03-26T16:15:00Z","result":"FAILED","httpStatus":503,` +
				`"error":{"code":"HTTP_STATUS","message":"no"},"consecutiveFailures":2}}`,
		},
		"a definition": {
			job.Event{ID: job.EventID{Index: 9}, Type: job.EventJobUpdated, At: at, Namespace: "a", Job: 1, JobName: "j", Version: 4},
			`{"id":"9-0","type":"job.updated","timestamp":"2026-03-26T16:15:00.250Z","namespace":"a","data":{` +
				`"jobId":"job_0000000000000001","jobName":"j","version":4}}`,
		},
		"the cluster": {
			job.Event{ID: job.EventID{Index: 7}, Type: job.EventNodeLost, At: at, NodeID: "n2"},
			`{"id":"7-0","type":"cluster.node_lost","timestamp":"2026-03-26T16:15:00.250Z","namespace":null,"data":{"nodeId":"n2"}}`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := event.Encode(tt.event); err != nil || string(got) != tt.want {
				t.Errorf("got %s, %v\nwant %s", got, err, tt.want)
			}
		})
	}
}

func TestParseID(t *testing.T) {
	t.Parallel()
	for _, id := range []job.EventID{{}, {Index: 18446744073709551615, Part: 2147483646}, {Index: 5, Part: 1}, {Index: 5, Part: job.LastPart}, {Part: job.LastPart}} {
		if got, ok := event.ParseID(event.FormatID(id)); !ok || got != id {
			t.Errorf("%v comes back as %v, %v", id, got, ok)
		}
	}
	for _, bad := range []string{"", "-", "5-", "05", "5-2147483647", "-1", "05-1", "5-01", "5--1", "+5-1", "5-1-1", "5-2147483648", " 5-1"} {
		if id, ok := event.ParseID(bad); ok {
			t.Errorf("%q is read as %v", bad, id)
		}
	}
}
