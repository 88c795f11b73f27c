package node

import (
	"context"
	"crypto/subtle"
	"fmt"

	"github.com/cronraft/cronraft/internal/job"
)

// HeaderIs reports whether a header of a job, as it is stored, has the value.
func (s Jobs) HeaderIs(_ context.Context, id job.ID, stored job.Header, value string) (bool, error) {
	plain, err := s.n.cfg.Secret.Open(stored.Sealed, headerScope(id, stored.Name))
	if err != nil {
		return false, fmt.Errorf("open header %s of job %v: %w", stored.Name, id, err)
	}
	return subtle.ConstantTimeCompare(plain, []byte(value)) == 1, nil
}
