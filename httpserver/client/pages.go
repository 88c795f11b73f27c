package client

import (
	"cmp"
	"iter"
	"strconv"
)

// pageSize is how much the iterators ask for at once: a job may be large.
const pageSize = 100

// orPageSize is the size that was asked for, or the one of iterators.
func orPageSize(size int) int { return cmp.Or(size, pageSize) }

// pages iterates over all items of a list from a cursor on. Get returns one page.
func pages[T any](cursor string, get func(cursor string) (items []T, next *string, err error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for at := cursor; ; {
			items, next, err := get(at)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			if next == nil {
				return
			}
			at = *next
		}
	}
}

// page sets the parameters of a page; a size of zero is the server's default.
func (q *call) page(size int, cursor string) *call {
	if size != 0 {
		q.query.Set("limit", strconv.Itoa(size))
	}
	return q.set("cursor", cursor)
}

// flag adds a parameter if it is true.
func (q *call) flag(name string, v bool) *call {
	if v {
		q.query.Set(name, "true")
	}
	return q
}
