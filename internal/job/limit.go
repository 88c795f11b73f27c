package job

import "time"

// What there may be of something, so that no entry of the log takes long to apply.
const (
	// OpenLimit is how many executions of a job may be open whose overlap policy is
	// ALLOW, beside those that are queued. One whose target does not answer has more
	// and more of them.
	OpenLimit = 1000

	// HookLimit is how many webhooks a namespace may have, and the whole cluster beside:
	// an event costs as much as there are webhooks that want it.
	HookLimit = 20

	// KeyLimit is how many API keys a namespace may have. One that expired
	// [ExpiredKeyFor] ago, and signs nothing, makes room for another.
	KeyLimit = 1000
)

// ExpiredKeyFor is how long an expired key is shown at least.
const ExpiredKeyFor = 30 * 24 * time.Hour
