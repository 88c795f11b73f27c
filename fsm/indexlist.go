package fsm

import (
	"bytes"

	"github.com/cockroachdb/pebble/v2"
)

// places is a list of places in order: of jobs or executions. Lists are put together
// from lists of keys, each reading only the keys that it has to.
type places interface {
	// seek finds the first place of the list that is not before at. If found is
	// false, there is none before place, and none at all if place is nil; with a
	// place, the looks are used up, and the search goes on there another time. What
	// it returns is valid until the next call.
	seek(at []byte) (place []byte, found bool)
}

// keys is the list of the keys with a prefix: their places are what follows it. Its
// first look is free, so that each page gets further than the one before.
type keys struct {
	r      *reading
	cursor *cursor
	prefix []byte
	end    []byte // the key at which it ends
	place  []byte
	value  byte // the first one of the key's value
	begun  bool
	over   bool
	from   []byte // the key that is looked for; reused
}

func (k *keys) seek(at []byte) ([]byte, bool) {
	switch {
	case k.over:
		return nil, false
	case !k.begun:
		k.begun = true
		return k.jump(at)
	case bytes.Compare(k.place, at) >= 0:
		return k.place, true
	case k.r.looks <= 0:
		return at, false
	case k.cursor.at != k:
		return k.jump(at)
	}
	// In a dense list the next key is the one.
	if !k.read(k.cursor.it.NextWithLimit(k.end)) {
		return nil, false
	}
	if bytes.Compare(k.place, at) >= 0 {
		return k.place, true
	}
	return k.jump(at)
}

func (k *keys) jump(at []byte) ([]byte, bool) {
	k.cursor.at = k
	k.from = append(append(k.from[:0], k.prefix...), at...)
	if !k.read(k.cursor.it.SeekGEWithLimit(k.from, k.end)) {
		return nil, false
	}
	return k.place, true
}

// read takes the place that the cursor is at. The cursor may be beyond the end:
// that is a hint to it.
func (k *keys) read(at pebble.IterValidityState) bool {
	k.r.looks--
	if at != pebble.IterValid || bytes.Compare(k.cursor.it.Key(), k.end) >= 0 {
		k.over = true
		return false
	}
	k.place = append(k.place[:0], k.cursor.it.Key()[len(k.prefix):]...)
	if value, err := k.cursor.it.ValueAndErr(); err == nil && len(value) > 0 { // Close tells the error too
		k.value = value[0]
	}
	return true
}

// union has what any of its lists has.
type union []places

func (u union) seek(at []byte) (place []byte, found bool) {
	for _, list := range u {
		p, ok := list.seek(at)
		if p == nil {
			continue
		}
		switch c := bytes.Compare(p, place); {
		case place == nil || c < 0:
			place, found = p, ok
		case c == 0:
			found = found || ok
		}
	}
	return place, found
}

// intersection has what all of its lists have. Each list in turn jumps to where
// another one is, so the work is that of the shortest list at most.
type intersection []places

func (x intersection) seek(at []byte) ([]byte, bool) {
	for i, agreed := 0, 0; agreed < len(x); i = (i + 1) % len(x) {
		p, found := x[i].seek(at)
		switch {
		case !found:
			return p, false
		case bytes.Equal(p, at):
			agreed++
		default:
			at, agreed = p, 1
		}
	}
	return at, true
}

// filter has what a list has and keep keeps.
type filter struct {
	list places
	keep func(place []byte) bool
	next []byte // reused
}

func (f *filter) seek(at []byte) ([]byte, bool) {
	for {
		p, found := f.list.seek(at)
		if !found || f.keep(p) {
			return p, found
		}
		f.next = append(append(f.next[:0], p...), 0)
		at = f.next
	}
}

// given is a list in memory, of which there may be more.
type given struct {
	places [][]byte
	more   []byte // where it goes on; nil if this is all
}

func (g *given) seek(at []byte) ([]byte, bool) {
	for len(g.places) > 0 && bytes.Compare(g.places[0], at) < 0 {
		g.places = g.places[1:]
	}
	switch {
	case len(g.places) > 0:
		return g.places[0], true
	case g.more != nil && bytes.Compare(g.more, at) < 0:
		return at, false
	default:
		return g.more, false
	}
}

// walk takes places from at on, until the page is full. Next is where the page
// after begins; nil if there is none.
func walk(list places, at []byte, full func() bool, take func(place []byte) error) (next []byte, err error) {
	for at = bytes.Clone(at); ; {
		p, found := list.seek(at)
		if !found || full() {
			return p, nil
		}
		if err := take(p); err != nil {
			return nil, err
		}
		at = append(append(at[:0], p...), 0)
	}
}
