package node

import (
	"context"
	"encoding/hex"
	"fmt"

	"github.com/cronraft/cronraft/internal/job"
)

// onceOf is what goes into the log of a caller's wish that a write takes effect
// once; made is the value that the write makes.
func onceOf[T any](once *job.Idempotent[T], made T) (*job.Once, error) {
	if once == nil {
		return nil, nil
	}
	answer, err := once.Answer(made)
	if err != nil {
		return nil, fmt.Errorf("prepare the answer: %w", err)
	}
	return &job.Once{Key: once.Key, Request: once.Request, Answer: answer}, nil
}

// kept is the first answer, if a write repeats one that came before; otherwise the
// refusal of the rule that it breaks now. A job that was to run in an hour was valid
// when it was first asked for.
func kept[T any](ctx context.Context, n *Node, once *job.Idempotent[T], refusal error) (again []byte, err error) {
	if once == nil {
		return nil, refusal
	}
	if err := n.Barrier(ctx); err != nil {
		return nil, err
	}
	again, err = n.store.Answer(once.Key, once.Request, n.instant())
	if err != nil || again != nil {
		return again, err
	}
	return nil, refusal
}

// sealedOnce is once, with an answer that nobody can read in the log or the store: it
// contains a key.
func sealedOnce[T any](n *Node, once *job.Idempotent[T]) *job.Idempotent[T] {
	if once == nil {
		return nil
	}
	return &job.Idempotent[T]{Key: once.Key, Request: once.Request, Answer: func(made T) ([]byte, error) {
		answer, err := once.Answer(made)
		if err != nil {
			return nil, err
		}
		return n.cfg.Secret.Seal(answer, answerScope(once.Key))
	}}
}

// openAnswer is a kept answer in plain text; nil for none.
func openAnswer[T any](n *Node, once *job.Idempotent[T], again []byte) ([]byte, error) {
	if again == nil {
		return nil, nil
	}
	plain, err := n.cfg.Secret.Open(again, answerScope(once.Key))
	if err != nil {
		return nil, fmt.Errorf("open a kept answer: %w", err)
	}
	return plain, nil
}

func answerScope(key [32]byte) []byte { return []byte("answer:" + hex.EncodeToString(key[:])) }
