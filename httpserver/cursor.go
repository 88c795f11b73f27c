package httpserver

import (
	"encoding/base64"
	"encoding/binary"
	"maps"
	"slices"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// A cursor is where a page of a list ended, so that it stays right while records come
// and go. It is opaque to clients: a byte for its form, a hash of what was listed (the
// path, the caller's namespace, the filters) and the position, of which the list
// decides the form. A cursor of another list is thereby known as one.
const (
	cursorForm  = 2
	cursorHash  = 8
	idBytes     = 8
	maxPosition = 1 << 10
)

var cursorEncoding = base64.RawURLEncoding.Strict()

// listQuery are the parameters of a list: those of every list, and the filters.
func (c *call) listQuery(filters ...string) *query {
	q := parseQuery(c.query, append(filters, paramLimit, paramCursor, paramConsistency))
	parts := [][]byte{[]byte(c.namespace()), []byte(c.path)}
	for _, name := range slices.Sorted(maps.Keys(q.values)) {
		if name != paramLimit && name != paramCursor && name != paramConsistency {
			parts = append(parts, []byte(name), []byte(q.values[name]))
		}
	}
	for _, text := range slices.Sorted(slices.Values(q.tags)) {
		parts = append(parts, []byte(paramTag), []byte(text))
	}
	hash := digest(parts...)
	q.list = hash[:cursorHash]
	return q
}

// position hands what nextCursor was given for the page before to parse. It is not
// called for the first page.
func (q *query) position(parse func([]byte) bool) {
	text, given := q.values[paramCursor]
	if !given {
		return
	}
	if position, ok := q.openCursor(text); !ok || !parse(position) {
		q.add(paramCursor, "is not a cursor of this list with these filters; begin again without one")
	}
}

func (q *query) openCursor(text string) ([]byte, bool) {
	if len(text) > cursorEncoding.EncodedLen(1+cursorHash+maxPosition) {
		return nil, false
	}
	b, err := cursorEncoding.DecodeString(text)
	if err != nil || len(b) < 1+cursorHash || b[0] != cursorForm || !slices.Equal(b[1:1+cursorHash], q.list) {
		return nil, false
	}
	return b[1+cursorHash:], true
}

// nextCursor is the cursor of the page that begins after the position.
func (q *query) nextCursor(position []byte) *string {
	text := cursorEncoding.EncodeToString(slices.Concat([]byte{cursorForm}, q.list, position))
	return &text
}

// page cuts a list that was asked for with one more than limit, and names the
// cursor of the next page if there is one.
func page[T any](list []T, limit int, cursor func(T) *string) ([]T, *string) {
	if len(list) <= limit {
		return list, nil
	}
	return list[:limit], cursor(list[limit-1])
}

// afterJob is the position of a page of jobs; nil begins.
func (q *query) afterJob() (after job.JobPosition) {
	q.position(func(b []byte) bool {
		if len(b) < idBytes {
			return false
		}
		after = job.JobPosition{ID: job.ID(binary.BigEndian.Uint64(b)), Name: string(b[idBytes:])}
		return after.ID != 0
	})
	return after
}

// jobCursor is the cursor of the page of jobs that begins after next; nil if there is
// none.
func (q *query) jobCursor(next *job.JobPosition) *string {
	if next == nil {
		return nil
	}
	return q.nextCursor(append(binary.BigEndian.AppendUint64(nil, uint64(next.ID)), next.Name...))
}

// beforeExecution is the position of a page of executions; zero begins.
func (q *query) beforeExecution() (before job.ExecutionID) {
	q.position(func(b []byte) bool {
		if len(b) != 2*idBytes {
			return false
		}
		before = job.ExecutionID{Job: job.ID(binary.BigEndian.Uint64(b)), Order: binary.BigEndian.Uint64(b[idBytes:])}
		return !before.IsZero()
	})
	return before
}

// executionCursor is the cursor of the page of executions that begins before next; nil
// if there is none.
func (q *query) executionCursor(next *job.ExecutionID) *string {
	if next == nil {
		return nil
	}
	b := binary.BigEndian.AppendUint64(nil, uint64(next.Job))
	return q.nextCursor(binary.BigEndian.AppendUint64(b, next.Order))
}

// pageCursor is the cursor of a page of an audit.
func (q *query) pageCursor(a audit) *string {
	var b []byte
	for _, t := range []time.Time{a.from, a.to, a.page} {
		b = binary.BigEndian.AppendUint64(b, uint64(t.UnixMilli()))
	}
	if a.inGap {
		b = append(b, inGapMark)
	}
	return q.nextCursor(b)
}

// inGapMark ends the position of a page that begins in a gap.
const inGapMark = 1

// parsePeriod reads the position in such a cursor.
func parsePeriod(b []byte) (from, to, begin time.Time, inGap, ok bool) {
	if len(b) == 3*idBytes+1 && b[3*idBytes] == inGapMark {
		b, inGap = b[:3*idBytes], true
	}
	if len(b) != 3*idBytes {
		return from, to, begin, false, false
	}
	at := func(i int) time.Time { return time.UnixMilli(int64(binary.BigEndian.Uint64(b[i*idBytes:]))).UTC() }
	from, to, begin = at(0), at(1), at(2)
	ok = !from.Before(minInstant) && !begin.Before(from) && from.Before(to) && !to.After(job.MaxTime) && !begin.After(to.Add(time.Millisecond))
	return from, to, begin, inGap, ok
}
