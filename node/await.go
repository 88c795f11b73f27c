package node

import "context"

// await is what ask comes to, or ctx's error. What is asked of raft may never be
// answered: its main loop may hang with the disk, and raft forgets some requests
// when it stops. The goroutine holds nothing and is given up then; it is the one
// kind that belongs to no group.
func await(ctx context.Context, ask func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	answer := make(chan error, 1)
	go func() { answer <- ask() }()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
