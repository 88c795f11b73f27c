// Package client talks to a cronraft cluster. It needs nothing of the rest of the
// program but package api, whose structs are what it returns.
//
//	c, err := client.New(client.Config{
//		Servers: []string{"http://10.0.0.1:8400", "http://10.0.0.2:8400", "http://10.0.0.3:8400"},
//		APIKey:  os.Getenv("CRONRAFT_API_KEY"),
//	})
//	if err != nil {
//		return err
//	}
//	job, err := c.CreateJob(ctx, client.JobSpec{
//		Name:           "nightly report",
//		CronExpression: "0 3 * * *",
//		Timezone:       "Europe/Berlin",
//		TargetURL:      "https://reports.example.com/run",
//	})
//
// A [Client] may be used by any number of goroutines.
//
// # What is left out, zero and null
//
// In a [JobSpec] the zero value of a field leaves it out, and the server's default
// holds; where zero means something else than the default, the field is a pointer:
// RetryDelaySeconds: new(0). In a [JobPatch] only the fields that are set change:
//
//	client.JobPatch{
//		CronExpression: client.To("30 3 * * *"),
//		EndAt:          client.ToDefault[time.Time](), // null: no end any more
//	}
//
// # Lists
//
// A list is an iterator over all its pages, which are asked for as the loop comes to
// them. Whoever leaves the loop early asks for no more. An error ends it:
//
//	for job, err := range c.Jobs(ctx, client.JobFilter{Tags: map[string]string{"team": "billing"}}) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(job.JobID, job.Name)
//	}
//
// For a single page, as a user interface shows it, each list has a second method
// that ends in Page.
//
// # Servers and failures
//
// Any server answers everything. A client stays with the one that answered last and
// goes to the next one if it refuses or cannot be reached; a server that failed is
// tried last for a while, and not before its Retry-After. A call goes on trying for
// [Config].RetryFor, as long as its context lives, and only when that is safe:
//
//   - what reads is sent again after every failure that may go away;
//   - a POST always has an Idempotency-Key, so it takes effect once, however often it
//     is sent, for 24 hours. Whoever repeats a call on its own, perhaps in another
//     process, gives the key: [IdempotencyKey];
//   - a DELETE removes what has an ID that nothing else gets, so it is sent again too, and
//     what is gone by then is deleted;
//   - PUT and PATCH are sent again if they name a version ([IfMatch]), or if the failure
//     says that nothing happened: no connection, no leader, too many requests.
//
// If a write may have taken effect and it cannot be found out, its error is
// [ErrOutcomeUnknown], never another one: read before you write again. That is so after
// an internal error of a server, too, and after an answer that cannot be read; the error
// that there was is in it.
//
// # Errors
//
// What a server refuses is an [*Error] with the code of the API, the invalid fields
// and the request's ID. [ErrNotFound] and the like compare by code:
//
//	var e *client.Error
//	switch {
//	case errors.Is(err, client.ErrNotFound):
//		// …
//	case errors.As(err, &e):
//		for _, f := range e.Fields {
//			fmt.Println(f.Field, f.Message)
//		}
//	}
//
// # Reading what others have just written
//
// Reads are linearizable: they see every write that was acknowledged before, at
// whichever server. [Stale] reads the server's own state instead, at once and without a
// leader.
//
// # Namespaces
//
// An API key sees its namespace only, and no call has to name it. The root key sees
// all: [Namespace], or [Config].Namespace for every call, restricts a list to one and
// says where something new is to be.
//
// # Backups
//
// [Client.Backup] writes all that the cluster knows to a file, and notices if that is not
// whole. Write to a file of another name first, and rename it when there is no error:
//
//	b, err := c.Backup(ctx, file)
//	if err != nil {
//		return err // what is in the file is no backup
//	}
//	fmt.Println(b.Name, b.Size, b.Meta.AppliedIndex)
//
// # Events and webhooks
//
// [Client.Events] follows what happens, across servers, without losing an event as long
// as the cluster remembers the last one that was read. A receiver of webhooks, or of the
// requests of jobs with SignPayloads, checks them with [VerifySignature].
package client
