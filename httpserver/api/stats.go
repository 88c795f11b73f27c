package api

// Statistics are what became of executions in a window.
type Statistics struct {
	From        Time    `json:"from"`
	To          Time    `json:"to"`
	StepSeconds int64   `json:"stepSeconds"`
	Total       Stats   `json:"total"`
	Series      []Stats `json:"series"`
}

// Stats are the executions that ended within a step. SuccessRate is the share of
// SUCCESS in those that called their target; null if there are none.
type Stats struct {
	At Time `json:"at"`
	Counts
	Attempts    int64    `json:"attempts"`
	SuccessRate *float64 `json:"successRate"`
	Lateness    Lateness `json:"latenessMs"`
}

// Lateness are quantiles in milliseconds, each rounded up to the bound of a bucket;
// null if nothing began.
type Lateness struct {
	P50 *float64 `json:"p50"`
	P90 *float64 `json:"p90"`
	P99 *float64 `json:"p99"`
	Max *float64 `json:"max"`
}
