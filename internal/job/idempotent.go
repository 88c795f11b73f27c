package job

// Idempotent comes with a write whose caller may repeat it: the write takes
// effect once, and each repetition gets the first one's answer. T is what the
// write makes. Nil is a write that takes effect as often as it is asked for.
type Idempotent[T any] struct {
	// Key and Request become those of [Once].
	Key, Request [32]byte
	// Answer makes [Once.Answer] from the value as it will be committed. It is
	// called before each try to commit, by the goroutine that asks for the write;
	// what the last call made counts, for the first caller too. Its error ends the
	// write, and nothing is submitted.
	Answer func(T) ([]byte, error)
}
