package api

// BulkResults answers the creation of many jobs, in the order of the request.
type BulkResults struct {
	Results []BulkResult `json:"results"`
}

// BulkResult is what became of one job: Job if Status is 201, otherwise Problem.
type BulkResult struct {
	Index   int      `json:"index"`
	Status  int      `json:"status"`
	Job     *Job     `json:"job,omitempty"`
	Problem *Problem `json:"problem,omitempty"`
}

// The actions of [Applied].
const (
	ActionCreate    = "CREATE"
	ActionUpdate    = "UPDATE"
	ActionUnchanged = "UNCHANGED"
	ActionDelete    = "DELETE"
	// ActionFailed: nothing was done, and Problem tells why.
	ActionFailed = "FAILED"
)

// Applied answers a declarative change: what was done, or would be with dryRun.
type Applied struct {
	DryRun    bool            `json:"dryRun"`
	Created   int             `json:"created"`
	Updated   int             `json:"updated"`
	Unchanged int             `json:"unchanged"`
	Deleted   int             `json:"deleted"`
	Failed    int             `json:"failed"`
	Changes   []AppliedChange `json:"changes"`
}

// AppliedChange is what is done about one job. Index is its place in the request;
// null for one that is deleted.
type AppliedChange struct {
	Index      *int    `json:"index"`
	ExternalID *string `json:"externalId"`
	JobID      *string `json:"jobId"`
	Name       string  `json:"name"`
	Action     string  `json:"action"`
	// Changed are the fields that an update changes.
	Changed []string `json:"changed,omitempty"`
	// Problem is why nothing was done.
	Problem *Problem `json:"problem,omitempty"`
}

// Export is a set of jobs that an apply or an import takes. Header values are
// hidden.
type Export struct {
	Jobs []map[string]any `json:"jobs"`
}

// Backfill answers a backfill: the executions, in the order of their slots, or with
// dryRun the slots alone.
type Backfill struct {
	DryRun     bool           `json:"dryRun"`
	Count      int            `json:"count"`
	Executions []BackfillSlot `json:"executions"`
}

// BackfillSlot is one slot of a backfill.
type BackfillSlot struct {
	ScheduledAt Time    `json:"scheduledAt"`
	ExecutionID *string `json:"executionId"`
}
