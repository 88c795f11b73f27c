package httpserver

import (
	"strings"
	"time"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/internal/job"
)

// encodeExecution maps an execution to the form that lists show.
func encodeExecution(x job.Execution) api.Execution {
	return api.Execution{
		ExecutionID: x.ID.String(),
		JobID:       x.ID.Job.String(),
		Trigger:     string(x.Trigger),
		ScheduledAt: instant(x.ScheduledAt),
		DueAt:       instant(x.DueAt),
		StartedAt:   instant(x.StartedAt),
		FinishedAt:  instant(x.FinishedAt),
		DurationMs:  durationMs(&x),
		LatenessMs:  latenessMs(&x),
		HTTPStatus:  optional(x.HTTPStatus),
		Result:      string(x.Result),
		Attempt:     attemptNumber(&x),
		NodeID:      optional(x.NodeID),
		Error:       encodeError(x.Err),
		MissedFrom:  instant(x.MissedFrom),
		MissedTo:    instant(x.MissedTo),
		MissedCount: x.MissedCount,
	}
}

func encodeExecutions(executions []job.Execution) []api.Execution {
	list := make([]api.Execution, 0, len(executions))
	for _, x := range executions {
		list = append(list, encodeExecution(x))
	}
	return list
}

// encodeDetail adds what only one execution's own page shows.
func encodeDetail(x job.Execution) api.ExecutionDetail {
	d := api.ExecutionDetail{
		Execution: encodeExecution(x),
		Attempts:  make([]api.Attempt, 0, len(x.Attempts)),
	}
	for _, a := range x.Attempts {
		d.Attempts = append(d.Attempts, encodeAttempt(a))
	}
	if x.Response != nil {
		text := strings.ToValidUTF8(string(x.Response), "\uFFFD")
		d.ResponseBody = &text
	}
	return d
}

func encodeAttempt(a job.Attempt) api.Attempt {
	out := api.Attempt{
		Attempt:     a.Number,
		NodeID:      a.NodeID,
		StartedAt:   instant(a.StartedAt),
		HTTPStatus:  optional(a.HTTPStatus),
		Error:       encodeError(a.Err),
		DNSMs:       phaseMs(a.Timings.DNS),
		ConnectMs:   phaseMs(a.Timings.Connect),
		TLSMs:       phaseMs(a.Timings.TLS),
		FirstByteMs: phaseMs(a.Timings.FirstByte),
	}
	if !a.StartedAt.IsZero() {
		ms := a.Duration.Milliseconds()
		out.DurationMs = &ms
	}
	return out
}

func encodeError(e *job.AttemptError) *api.ExecutionError {
	if e == nil {
		return nil
	}
	return &api.ExecutionError{Code: string(e.Code), Message: e.Msg}
}

// durationMs is null until the end is known.
func durationMs(x *job.Execution) *int64 {
	if x.StartedAt.IsZero() || x.FinishedAt.IsZero() {
		return nil
	}
	ms := x.Duration().Milliseconds()
	return &ms
}

func latenessMs(x *job.Execution) *int64 {
	late, known := x.Lateness()
	if !known {
		return nil
	}
	ms := late.Milliseconds()
	return &ms
}

// attemptNumber is that of the last recorded attempt, or of the one under way,
// which is recorded when it ends.
func attemptNumber(x *job.Execution) int {
	number := 0
	if n := len(x.Attempts); n > 0 {
		number = x.Attempts[n-1].Number
	}
	if x.Result == job.Running {
		number++
	}
	return number
}

// phaseMs has microseconds after the point; null for a phase that did not happen.
func phaseMs(d time.Duration) *float64 {
	if d <= 0 {
		return nil
	}
	ms := float64(d.Microseconds()) / 1000
	return &ms
}
