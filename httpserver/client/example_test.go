package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/httpserver/client"
)

// demo stands for a cluster; it answers with what the examples need.
func demo() (*client.Client, func()) {
	mux := http.NewServeMux()
	for pattern, answer := range map[string]http.HandlerFunc{
		"POST /api/cron-service/jobs": data(201, api.Job{JobID: "job_1", Version: 1, State: "ACTIVE"}),
		"GET /api/cron-service/jobs": data(200, api.JobList{Jobs: []api.Job{
			{JobID: "job_1", Name: "nightly report"}, {JobID: "job_2", Name: "refresh cache"},
		}}),
		"GET /api/cron-service/jobs/job_1":   data(200, api.Job{JobID: "job_1", Name: "nightly report", Version: 4, TimeoutSeconds: 30}),
		"PUT /api/cron-service/jobs/job_1":   data(200, api.Job{JobID: "job_1", Version: 5, TimeoutSeconds: 120}),
		"PATCH /api/cron-service/jobs/job_1": data(200, api.Job{JobID: "job_1", Version: 5, CronExpression: new("30 3 * * *")}),
		"GET /api/cron-service/jobs/job_9":   problem(404, "not_found", ""),
		"GET /api/cron-service/events":       streaming(message("41-0")+message("42-0"), stays),
	} {
		mux.HandleFunc(pattern, answer)
	}
	server := httptest.NewServer(mux)
	c, err := client.New(client.Config{Servers: []string{server.URL}, APIKey: testKey})
	if err != nil {
		log.Fatal(err)
	}
	return c, server.Close
}

func Example() {
	c, stop := demo() // client.New(client.Config{Servers: …, APIKey: …})
	defer stop()
	ctx := context.Background()

	job, err := c.CreateJob(ctx, client.JobSpec{
		Name:           "nightly report",
		CronExpression: "0 3 * * *",
		Timezone:       "Europe/Berlin",
		TargetURL:      "https://reports.example.com/run",
		Retries:        5,
		RetryBackoff:   "EXPONENTIAL",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(job.JobID, job.State)
	// Output: job_1 ACTIVE
}

func ExampleClient_Jobs() {
	c, stop := demo()
	defer stop()

	for job, err := range c.Jobs(context.Background(), client.JobFilter{Tags: map[string]string{"team": "billing"}}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(job.JobID, job.Name)
	}
	// Output:
	// job_1 nightly report
	// job_2 refresh cache
}

// A patch changes the fields that it sets: To gives a value, ToDefault is null.
func ExampleClient_UpdateJob() {
	c, stop := demo()
	defer stop()

	job, err := c.UpdateJob(context.Background(), "job_1", client.JobPatch{
		CronExpression: client.To("30 3 * * *"),
		EndAt:          client.ToDefault[time.Time](),
		Tags:           client.To(map[string]*string{"team": new("billing"), "draft": nil}),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(*job.CronExpression)
	// Output: 30 3 * * *
}

// To change what was read only if nobody else has meanwhile, name its version. The
// client may then also repeat the call by itself.
func ExampleIfMatch() {
	c, stop := demo()
	defer stop()
	ctx := context.Background()

	for {
		job, err := c.Job(ctx, "job_1")
		if err != nil {
			log.Fatal(err)
		}
		spec := client.SpecOf(job)
		spec.TimeoutSeconds *= 4
		job, err = c.ReplaceJob(ctx, job.JobID, spec, client.IfMatch(job.Version))
		if errors.Is(err, client.ErrPreconditionFailed) && !errors.Is(err, client.ErrOutcomeUnknown) {
			continue // somebody was faster
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(job.TimeoutSeconds)
		break
	}
	// Output: 120
}

func ExampleError() {
	c, stop := demo()
	defer stop()

	_, err := c.Job(context.Background(), "job_9")
	var e *client.Error
	switch {
	case errors.Is(err, client.ErrNotFound):
		fmt.Println("there is no such job")
	case errors.As(err, &e):
		fmt.Println(e.Code, e.Fields, e.RequestID)
	}
	// Output: there is no such job
}

// The events go on across servers and restarts of the program: keep the ID of the last
// one.
func ExampleClient_Events() {
	c, stop := demo()
	defer stop()

	last := "40-3"
	for event, err := range c.Events(context.Background(), client.EventFilter{After: last, Types: []string{"job.created"}}) {
		if err != nil {
			log.Fatal(err)
		}
		if event.Type == client.EventReset {
			fmt.Println("events are lost: read the state")
		}
		last = event.ID
		fmt.Println(event.Type, last)
		if last == "42-0" {
			break
		}
	}
	// Output:
	// job.created 41-0
	// job.created 42-0
}

// A receiver of webhooks, or of the requests of jobs with SignPayloads.
func ExampleVerifySignature() {
	handler := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err == nil {
			err = client.VerifySignature("cron_live_…", r.Header, body)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		// r.Header.Get("webhook-id") is the same when the request comes again.
		w.WriteHeader(http.StatusNoContent)
	}

	w := httptest.NewRecorder()
	handler(w, httptest.NewRequest(http.MethodPost, "/", http.NoBody))
	fmt.Println(w.Code)
	// Output: 401
}
