package checker

import (
	"cmp"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"time"
)

const (
	// maxMoments bounds what is thought through about one job. Beyond it the job's
	// state counts as unknown.
	maxMoments = 20_000

	// maxUnknown is how many writes of unknown outcome fit into a moment.
	maxUnknown = 64
)

// farFuture is later than everything.
var farFuture = time.Unix(1<<40, 0)

// moment is one state that a job may have been in, between two of the writes that
// took effect, and when.
type moment struct {
	momentKey
	from, until time.Time
	// isPossible: the end of the run can be reached from here.
	isPossible bool
	next       []step
}

// momentKey makes moments one: the same writes lie behind.
type momentKey struct {
	layer   int    // how many of the known writes took effect
	applied uint64 // which of the unknown ones did, as bits
	version uint64
	state   state
}

// step leads from one moment to another, at latest at an instant.
type step struct {
	to     *moment
	latest time.Time
}

// course thinks through in which orders the writes of a job may have taken
// effect. The known writes did so in their order; each unknown one at any time
// after it was asked for, or never. Versions decide how many of them came
// between two known ones. So the states of a job are a graph: its layers are the
// known writes, its sides within a layer the unknown ones.
type course struct {
	known, unknown []*Op
	final          *Final
	shadows        *shadows
	layers         []map[momentKey]*moment
	count          int
}

// newCourse sorts the writes of one job, which are in the order of their begin.
func newCourse(ops []*Op, final *Final, s *shadows) *course {
	c := &course{final: final, shadows: s}
	for _, op := range ops {
		isWrite := op.Kind != OpRun && op.Kind != OpCancel
		switch {
		case op.Outcome == OK:
			c.known = append(c.known, op)
		case op.Outcome == Unknown && isWrite:
			c.unknown = append(c.unknown, op)
		}
	}
	return c
}

// conflict is how a history contradicts itself.
type conflict struct {
	kind Kind
	text string
}

// think finds the possible moments. They are nil if there are too many to think
// through, or none that go together with all the answers, which is a conflict.
func (c *course) think() ([]*moment, *conflict) {
	if len(c.unknown) > maxUnknown {
		return nil, nil
	}
	c.layers = make([]map[momentKey]*moment, len(c.known)+1)
	for i := range c.layers {
		c.layers[i] = map[momentKey]*moment{}
	}
	c.reach(momentKey{}, time.Time{})
	for i := range c.layers {
		c.spread(i)
		if c.count > maxMoments {
			return nil, nil
		}
		if i == len(c.known) {
			break
		}
		if c.advance(i); len(c.layers[i+1]) == 0 {
			return nil, c.contradiction(i)
		}
	}
	if !c.rewind() {
		return nil, c.badEnd()
	}
	return c.possible(), nil
}

// reach notes that a moment may begin at from.
func (c *course) reach(key momentKey, from time.Time) *moment {
	m := c.layers[key.layer][key]
	if m == nil {
		m = &moment{momentKey: key, from: from, until: farFuture}
		c.layers[key.layer][key] = m
		c.count++
	}
	m.from = earlier(m.from, from)
	return m
}

// inOrder are the moments of a layer, those with fewer unknown writes first.
func (c *course) inOrder(layer int) []*moment {
	var list []*moment
	for _, m := range c.layers[layer] {
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b *moment) int {
		return cmp.Or(cmp.Compare(bits.OnesCount64(a.applied), bits.OnesCount64(b.applied)), cmp.Compare(a.applied, b.applied))
	})
	return list
}

// spread lets unknown writes take effect within a layer, one more at a time.
func (c *course) spread(layer int) {
	for size := range len(c.unknown) + 1 {
		for _, m := range c.inOrder(layer) {
			if bits.OnesCount64(m.applied) != size {
				continue
			}
			for i, op := range c.unknown {
				c.maybe(m, i, op)
			}
			if c.count > maxMoments {
				return
			}
		}
	}
}

// maybe lets one unknown write take effect after m, if it can.
func (c *course) maybe(m *moment, i int, op *Op) {
	after, ok := m.state.after(op)
	version := m.version
	if op.Kind != OpDelete {
		version++
	}
	switch {
	case !ok || m.applied>>i&1 == 1:
	case m.layer < len(c.known) && op.Invoked.After(c.known[m.layer].Returned): // asked for later
	case op.Kind == OpDelete && c.isNeeded(m.layer):
	case op.Kind == OpCreate && c.isCreatedLater(m.layer):
	case version > c.bound(m.layer):
	default:
		begin, latest := c.when(op)
		key := momentKey{layer: m.layer, applied: m.applied | 1<<i, version: version, state: after}
		m.next = append(m.next, step{to: c.reach(key, later(m.from, begin)), latest: latest})
	}
}

// isNeeded reports whether the job is there after the layer.
func (c *course) isNeeded(layer int) bool { return layer < len(c.known) || c.final != nil }

func (c *course) isCreatedLater(layer int) bool {
	return slices.ContainsFunc(c.known[layer:], func(op *Op) bool { return op.Kind == OpCreate })
}

// bound is the highest version that the job may have in a layer: less than the
// next one that a client was told.
func (c *course) bound(layer int) uint64 {
	for _, op := range c.known[layer:] {
		if op.Version > 0 {
			return op.Version - 1
		}
	}
	if c.final != nil && c.final.Version > 0 {
		return c.final.Version
	}
	return math.MaxUint64
}

// when is the time in which a write takes effect, by any clock. A job tells when
// it was created.
func (c *course) when(op *Op) (begin, latest time.Time) {
	begin, latest = op.Invoked, op.Returned
	if op.Outcome == Unknown || latest.IsZero() {
		latest = farFuture
	}
	begin, latest = begin.Add(-c.shadows.tolerance(begin)), latest.Add(c.shadows.tolerance(latest))
	if op.Kind == OpCreate && c.final != nil {
		if at := c.final.CreatedAt; !at.Before(begin) && !at.After(latest) {
			tolerance := c.shadows.tolerance(at)
			return at.Add(-tolerance), at.Add(tolerance)
		}
	}
	return begin, latest
}

// advance lets the next known write take effect after each moment of a layer.
func (c *course) advance(layer int) {
	op := c.known[layer]
	begin, latest := c.when(op)
	for _, m := range c.inOrder(layer) {
		after, ok := m.state.after(op)
		version := m.version
		if op.Kind == OpCreate || op.Kind == OpUpdate {
			version++
		}
		if !ok || op.Version > 0 && op.Version != version {
			continue
		}
		key := momentKey{layer: layer + 1, applied: m.applied, version: version, state: after}
		m.next = append(m.next, step{to: c.reach(key, later(m.from, begin)), latest: latest})
	}
}

// contradiction explains that a known write cannot have taken effect.
func (c *course) contradiction(layer int) *conflict {
	op := c.known[layer]
	var before []string
	for _, m := range c.inOrder(layer) {
		if m.state.exists {
			before = append(before, fmt.Sprintf("version %d", m.version))
		} else {
			before = append(before, "no job")
		}
	}
	return &conflict{WriteLost, fmt.Sprintf("%s at %s was answered (version %d), and before it there may have been only: %v",
		op.Kind, clock(op.Invoked), op.Version, before)}
}

// agrees reports whether a moment may be the end.
func (c *course) agrees(m *moment) bool {
	if c.final == nil {
		return !m.state.exists
	}
	return m.state.exists && (c.final.Version == 0 || c.final.Version == m.version) &&
		(c.final.State == "" || c.final.State == stateCompleted || m.state.isActive == (c.final.State == stateActive))
}

// rewind goes back from the ends and finds what leads there, and when it has to be
// over; false if nothing does.
func (c *course) rewind() bool {
	found := false
	for layer := len(c.layers) - 1; layer >= 0; layer-- {
		list := c.inOrder(layer)
		slices.Reverse(list)
		for _, m := range list {
			m.isPossible = layer == len(c.known) && c.agrees(m)
			found = found || m.isPossible
			if !m.isPossible {
				m.until = time.Time{}
			}
			for _, s := range m.next {
				if s.to.isPossible {
					m.isPossible = true
					m.until = later(m.until, earlier(s.to.until, s.latest))
				}
			}
		}
	}
	return found
}

// badEnd explains that the end cannot have come of the writes.
func (c *course) badEnd() *conflict {
	deleted := slices.ContainsFunc(c.known, func(op *Op) bool { return op.Kind == OpDelete })
	if c.final == nil {
		return &conflict{JobLost, "the job was created and never deleted, and does not exist at the end"}
	}
	if deleted {
		return &conflict{JobBack, "the job was deleted, and exists at the end"}
	}
	var may []string
	for _, m := range c.inOrder(len(c.known)) {
		if m.state.exists {
			may = append(may, fmt.Sprintf("version %d active %t", m.version, m.state.isActive))
		}
	}
	return &conflict{WriteLost, fmt.Sprintf("the job ends as version %d %s, and its writes allow only: %v", c.final.Version, c.final.State, may)}
}

// possible are the moments from which the end can be reached.
func (c *course) possible() []*moment {
	var list []*moment
	for layer := range c.layers {
		for _, m := range c.inOrder(layer) {
			if m.isPossible && !m.until.Before(m.from) {
				list = append(list, m)
			}
		}
	}
	return list
}
