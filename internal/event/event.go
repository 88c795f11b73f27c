// Package event is the one form in which an event leaves the cluster: the stream
// and the webhooks tell it in the same bytes.
package event

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/internal/job"
)

// Encode is the event's JSON: that of an [api.Event].
func Encode(e job.Event) ([]byte, error) {
	text, err := json.Marshal(Public(e))
	if err != nil {
		return nil, fmt.Errorf("encode event %s: %w", FormatID(e.ID), err)
	}
	return text, nil
}

// Public is the event in the words of the API.
func Public(e job.Event) api.Event {
	public := api.Event{ID: FormatID(e.ID), Type: string(e.Type), Timestamp: api.Time{Time: e.At}}
	if e.Namespace != "" {
		public.Namespace = &e.Namespace
	}
	d := api.EventData{
		JobName: e.JobName, Version: e.Version, Trigger: string(e.Trigger), ScheduledAt: instant(e.ScheduledAt),
		Result: string(e.Result), HTTPStatus: e.HTTPStatus, MissedCount: e.MissedCount, ConsecutiveFailures: e.Failures,
		NodeID: e.NodeID,
	}
	if e.Job != 0 {
		d.JobID = e.Job.String()
	}
	if !e.Execution.IsZero() {
		d.ExecutionID = e.Execution.String()
	}
	if e.Err != nil {
		d.Error = &api.ExecutionError{Code: string(e.Err.Code), Message: e.Err.Msg}
	}
	public.Data = d
	return public
}

func instant(t time.Time) *api.Time {
	if t.IsZero() {
		return nil
	}
	return &api.Time{Time: t}
}

// FormatID writes "INDEX-PART", or "INDEX" for the place after all events of an entry.
func FormatID(id job.EventID) string {
	if id.Part == job.LastPart {
		return strconv.FormatUint(id.Index, 10)
	}
	return strconv.FormatUint(id.Index, 10) + "-" + strconv.Itoa(id.Part)
}

// ParseID reads what [FormatID] writes; false for anything else.
func ParseID(s string) (job.EventID, bool) {
	index, part, isOne := strings.Cut(s, "-")
	i, err := strconv.ParseUint(index, 10, 64)
	p, err2 := uint64(job.LastPart), error(nil)
	if isOne {
		p, err2 = strconv.ParseUint(part, 10, 31)
	}
	id := job.EventID{Index: i, Part: int(p)}
	return id, err == nil && err2 == nil && FormatID(id) == s
}
