package fsm

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/cronraft/cronraft/fsm/logpb"
	"github.com/cronraft/cronraft/internal/job"
)

// Answer is what a write with the key of a [job.Once] was answered, as far as it is
// kept at the given time; nil if there is none. [job.ErrIdempotencyMismatch] if that was
// another request.
func (s *Store) Answer(key, request [32]byte, at time.Time) (answer []byte, err error) {
	var p logpb.Answer
	err = s.view(func(st *state) error {
		return st.get(answerKey(key[:]), func(value []byte) error { return proto.Unmarshal(value, &p) })
	})
	switch {
	case errors.Is(err, job.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read an answer: %w", err)
	case expired(&p, at):
		return nil, nil
	case string(p.GetRequest()) != string(request[:]):
		return nil, job.ErrIdempotencyMismatch
	}
	return p.GetAnswer(), nil
}
