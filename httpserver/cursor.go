package httpserver

import (
	"encoding/base64"
	"encoding/binary"

	"github.com/cronraft/cronraft/internal/job"
)

// A cursor is the last ID of a page, so that it stays right while records come and
// go. It begins with a byte for what is listed, and is opaque to clients.
const (
	cursorJobs       = 'j'
	cursorExecutions = 'x'

	idBytes = 8
)

var cursorEncoding = base64.RawURLEncoding.Strict()

func jobCursor(id job.ID) string {
	return cursorEncoding.EncodeToString(binary.BigEndian.AppendUint64([]byte{cursorJobs}, uint64(id)))
}

// parseJobCursor reads what jobCursor writes.
func parseJobCursor(s string) (job.ID, bool) {
	b, ok := cursorBytes(s, cursorJobs, idBytes)
	if !ok {
		return 0, false
	}
	return job.ID(binary.BigEndian.Uint64(b)), true
}

func executionCursor(id job.ExecutionID) string {
	b := binary.BigEndian.AppendUint64([]byte{cursorExecutions}, uint64(id.Job))
	return cursorEncoding.EncodeToString(binary.BigEndian.AppendUint64(b, id.Order))
}

// parseExecutionCursor reads what executionCursor writes, for executions of one job.
func parseExecutionCursor(s string, of job.ID) (job.ExecutionID, bool) {
	b, ok := cursorBytes(s, cursorExecutions, 2*idBytes)
	if !ok {
		return job.ExecutionID{}, false
	}
	id := job.ExecutionID{Job: job.ID(binary.BigEndian.Uint64(b)), Order: binary.BigEndian.Uint64(b[idBytes:])}
	return id, id.Job == of
}

func cursorBytes(s string, kind byte, length int) ([]byte, bool) {
	b, err := cursorEncoding.DecodeString(s)
	if err != nil || len(b) != 1+length || b[0] != kind {
		return nil, false
	}
	return b[1:], true
}

// page cuts a list that was asked for with one more than limit, and names the
// cursor of the next page if there is one.
func page[T any](list []T, limit int, cursor func(T) string) ([]T, *string) {
	if len(list) <= limit {
		return list, nil
	}
	next := cursor(list[limit-1])
	return list[:limit], &next
}
