package httpserver

import (
	"time"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/internal/job"
)

// encodeJob maps a job to its public form. Header values stay secret.
func encodeJob(j job.Job) api.Job {
	return api.Job{
		JobID:           j.ID.String(),
		Name:            j.Name,
		Description:     optional(j.Description),
		Tags:            encodeTags(j.Tags),
		ExternalID:      optional(j.ExternalID),
		CronExpression:  optional(j.Schedule.Cron),
		IntervalSeconds: optional(seconds(j.Schedule.Interval)),
		RunAt:           instant(j.Schedule.RunAt),
		Timezone:        j.Schedule.Timezone,
		StartAt:         instant(j.Schedule.StartAt),
		EndAt:           instant(j.Schedule.EndAt),
		MaxRuns:         optional(j.MaxRuns),
		JitterSeconds:   seconds(j.Jitter),
		State:           string(j.State),
		PauseReason:     optional(j.PauseReason),

		TargetURL:       j.Target.URL,
		HTTPMethod:      j.Target.Method,
		Headers:         hiddenHeaders(j.Target.Headers),
		Body:            j.Target.Body,
		TimeoutSeconds:  seconds(j.Timeout),
		SuccessStatuses: append([]string{}, j.SuccessStatuses...),
		FollowRedirects: j.FollowRedirects,
		SignPayloads:    j.SignPayloads,
		CaptureResponse: string(j.Capture),

		Retries:              j.Retries,
		RetryDelaySeconds:    seconds(j.RetryDelay),
		RetryBackoff:         string(j.Backoff),
		RetryMaxDelaySeconds: seconds(j.RetryMaxDelay),
		OverlapPolicy:        string(j.Overlap),
		MisfirePolicy:        string(j.Misfire),
		CatchupWindowSeconds: seconds(j.CatchupWindow),
		DeliveryGuarantee:    string(j.Guarantee),

		PauseAfterConsecutiveFailures: j.PauseAfterFailures,

		Version:             j.Version,
		CreatedAt:           api.Time{Time: j.CreatedAt},
		UpdatedAt:           api.Time{Time: j.UpdatedAt},
		NextRunAt:           nextRun(j),
		LastRunAt:           instant(j.LastRunAt),
		LastResult:          optional(string(j.LastResult)),
		Namespace:           j.Namespace,
		ConsecutiveFailures: j.ConsecutiveFailures,
		RunningCount:        j.Running,
		Counts:              api.Counts(j.Counts),
	}
}

func encodeJobs(jobs []job.Job) []api.Job {
	list := make([]api.Job, 0, len(jobs))
	for _, j := range jobs {
		list = append(list, encodeJob(j))
	}
	return list
}

func encodeTags(tags []job.Tag) map[string]string {
	m := make(map[string]string, len(tags))
	for _, t := range tags {
		m[t.Key] = t.Value
	}
	return m
}

func hiddenHeaders(headers []job.Header) map[string]string {
	m := make(map[string]string, len(headers))
	for _, h := range headers {
		m[h.Name] = api.Hidden
	}
	return m
}

// nextRun is null for a job that is not to run.
func nextRun(j job.Job) *api.Time {
	if j.State != job.Active {
		return nil
	}
	return instant(j.NextRunAt)
}

// optional is null for the zero value.
func optional[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// instant is null for the zero time.
func instant(t time.Time) *api.Time {
	if t.IsZero() {
		return nil
	}
	return &api.Time{Time: t}
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }
