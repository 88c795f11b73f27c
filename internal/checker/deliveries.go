package checker

import "time"

// checkRequests compares each request with its record, and with the end of its
// job.
func (r *run) checkRequests(x *execution) {
	for _, d := range x.deliveries {
		if d.WebhookID != d.Execution {
			r.violate(WrongWebhookID, x.job, x, d.ScheduledAt, "attempt %d came with the webhook-id %q", d.Attempt, d.WebhookID)
		}
		if x.record != nil {
			r.checkRequest(x, d)
		}
	}
	j := x.job
	// What was planned after Settled may have come after the records were read.
	isOld := !x.slot().After(r.history.Settled) && !j.isCut(x.slot())
	if x.record == nil && j.final != nil && isOld {
		r.violate(PhantomDelivery, j, x, x.slot(), "%d requests, the first at %s, and no record", len(x.deliveries), clock(x.deliveries[0].Arrived))
	}
	r.checkAfterDelete(x)
}

// checkRequest compares a request with its record. A person's run has
// milliseconds, which a header need not have.
func (r *run) checkRequest(x *execution, d *Delivery) {
	off := d.ScheduledAt.Sub(x.record.ScheduledAt).Abs()
	if off >= time.Second || off > 0 && x.isOfSlot() {
		r.violate(WrongScheduledAt, x.job, x, x.slot(), "attempt %d names %s", d.Attempt, clock(d.ScheduledAt))
	}
	if d.Trigger != x.record.Trigger {
		r.violate(WrongTrigger, x.job, x, x.slot(), "attempt %d says %q, the record %q", d.Attempt, d.Trigger, x.record.Trigger)
	}
	if d.JobID != x.record.JobID {
		r.violate(PhantomDelivery, x.job, x, x.slot(), "attempt %d names the job %s, the record %s", d.Attempt, d.JobID, x.record.JobID)
	}
}

// checkAfterDelete wants no new request after a delete was acknowledged, but for
// those that were on their way.
func (r *run) checkAfterDelete(x *execution) {
	for _, op := range x.job.ops {
		if op.Kind != OpDelete || op.Outcome != OK {
			continue
		}
		for _, d := range x.deliveries {
			if d.Arrived.After(r.lastRequest(op.Returned)) {
				r.violate(FiredAfterDelete, x.job, x, x.slot(), "attempt %d came %v after the delete was acknowledged", d.Attempt, d.Arrived.Sub(op.Returned))
			}
		}
	}
}

// lastRequest is until when a request may begin whose execution was ended at the
// given time: what is on its way may still come, and a node that cannot be told
// may begin what it has until its lease ends.
func (r *run) lastRequest(ended time.Time) time.Time {
	last := ended.Add(r.limits.AbortLag + r.shadows.tolerance(ended))
	if r.shadows.slow.touches(ended, last) {
		last = last.Add(r.limits.NodeLost)
	}
	return last
}

// checkOrphans asks for the jobs of requests that name none that is known. Unless
// jobs were deleted whose IDs nobody knows, there is no such job.
func (r *run) checkOrphans() {
	for _, j := range r.jobs {
		if j.final == nil && j.id == "" {
			return
		}
	}
	for _, x := range r.orphans {
		if x.record == nil {
			r.violate(PhantomDelivery, nil, x, x.slot(), "a request of the job %s, which nobody created", x.deliveries[0].JobID)
		}
	}
}
