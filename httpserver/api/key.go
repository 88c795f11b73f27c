package api

// Key is an API key, without the key itself.
type Key struct {
	KeyID     string `json:"keyId"`
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	Role      string `json:"role"`
	Root      bool   `json:"root"`
	CreatedAt Time   `json:"createdAt"`
	ExpiresAt *Time  `json:"expiresAt"`
	RotatedAt *Time  `json:"rotatedAt"`
	// PreviousValidUntil is how long the key before a rotation is still accepted.
	PreviousValidUntil *Time `json:"previousValidUntil"`
}

// NewKey answers a creation or a rotation: the key is shown this once.
type NewKey struct {
	Key
	APIKey string `json:"apiKey"`
}

// KeyList is a page of keys.
type KeyList struct {
	Keys       []Key   `json:"apiKeys"`
	NextCursor *string `json:"nextCursor"`
}

// KeyRevoked answers a revocation.
type KeyRevoked struct {
	KeyID   string `json:"keyId"`
	Revoked bool   `json:"revoked"`
}

// Limits are what a server grants a key, and what it takes at most.
type Limits struct {
	// RequestsPerSecond is on each node; null for no limit.
	RequestsPerSecond *float64 `json:"requestsPerSecond"`
	Burst             *int     `json:"burst"`
	MaxBodyBytes      int      `json:"maxBodyBytes"`
	MaxBulkBytes      int      `json:"maxBulkBytes"`
	MaxBulkJobs       int      `json:"maxBulkJobs"`
	MaxListBytes      int      `json:"maxListBytes"`
	MaxListJobs       int      `json:"maxListJobs"`
	MaxPageSize       int      `json:"maxPageSize"`
	MaxBackfillSlots  int      `json:"maxBackfillSlots"`
	MaxNextRuns       int      `json:"maxNextRuns"`
	HistoryPerJob     int      `json:"historyPerJob"`
	HistoryMaxAgeSec  int64    `json:"historyMaxAgeSeconds"`
	MaxWebhooks       int      `json:"maxWebhooks"`
	MaxAPIKeys        int      `json:"maxApiKeys"`
	MaxOpenExecutions int      `json:"maxOpenExecutions"`
	MaxEventStreams   int      `json:"maxEventStreams"`
}
