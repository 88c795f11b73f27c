package job

// JobChange is one change of many that are asked for at once.
type JobChange struct {
	// ID and Version name the job that is replaced or deleted; zero creates one.
	ID      ID
	Version uint64
	// Spec is what it is to be; nil deletes it.
	Spec *Spec
}

// JobOutcome is what one change came to: the job as it was committed, or as it was
// before it was deleted, or Err.
type JobOutcome struct {
	Job Job
	Err *Error
}

// NewKey is a key whose owner gets it now.
type NewKey struct {
	APIKey
	Plain string
}
