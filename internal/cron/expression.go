package cron

import (
	"fmt"
	"strings"
	"sync"

	"github.com/gorhill/cronexpr"
)

// maxBytes is the length of the longest expression that Parse takes.
const maxBytes = 256

// Expression is a parsed cron expression. It never changes, so goroutines may
// share it.
type Expression struct {
	text   string
	sets   sets
	walker cronexpr.Expression // only ever copied: its Next writes to it
	// allHours: no wall clock time that a zone skips is a loss, because another
	// hour follows.
	allHours     bool
	intervalLike bool
}

// SyntaxError says why a text is not a cron expression that this package takes.
type SyntaxError struct {
	// Field is minute, hour, day-of-month, month or day-of-week; or expression,
	// if no single field is at fault.
	Field string
	Msg   string
}

func (e *SyntaxError) Error() string { return e.Field + ": " + e.Msg }

// expressions shares equal expressions: a million jobs have few distinct ones.
var expressions = cache{recent: make(map[string]*Expression)}

// Parse reads an expression of five fields, or a macro. What is wrong with expr
// comes back as a [*SyntaxError]; an expression that never fires between 2000
// and 2099 is wrong. Expressions of one meaning are shared, so Parse is cheap
// enough to be called before each Next.
func Parse(expr string) (*Expression, error) {
	if e := expressions.get(expr); e != nil {
		return e, nil
	}
	e, err := parse(expr)
	if err != nil {
		return nil, err
	}
	if shared := expressions.get(e.text); shared != nil {
		e = shared
	} else {
		expressions.put(e.text, e)
	}
	expressions.put(strings.Clone(expr), e) // a caller's string may pin a large buffer
	return e, nil
}

// parse is Parse without sharing. cronexpr comes last: it may loop or overflow
// the stack on what has not passed all checks.
func parse(expr string) (*Expression, error) {
	fields, err := split(expr)
	if err != nil {
		return nil, err
	}
	s, err := parseFields(fields)
	if err != nil {
		return nil, err
	}
	if !s.everFires() {
		return nil, &SyntaxError{Field: "day-of-month", Msg: "no such day comes with this month and day-of-week between 2000 and 2099: the expression would never fire"}
	}
	walker, err := cronexpr.Parse(s.walkText())
	if err != nil {
		return nil, fmt.Errorf("prepare cron expression %q: %w", expr, err)
	}
	e := &Expression{text: s.text(), sets: s, walker: *walker}
	if len(e.text) > maxBytes {
		e.text = strings.Join(fields[:], " ")
	}
	e.allHours = s.hour.bits == hourField.all()
	e.intervalLike = e.allHours || s.hour.star || s.minute.star
	return e, nil
}

// String is the canonical text, which Parse takes: equal text, equal meaning. An
// expression whose canonical text would be too long for Parse answers the text
// that it was given, with single blanks.
func (e *Expression) String() string { return e.text }

// generation is how many texts a cache takes before it forgets those that nobody
// asked for since the last time it did so. An expression has about 2 KiB.
const generation = 4096

// cache is a bounded map: it has at most two generations of texts.
type cache struct {
	// mu guards recent and older.
	mu            sync.Mutex
	recent, older map[string]*Expression
}

// get is nil if the text is unknown.
func (c *cache) get(text string) *Expression {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.recent[text]; e != nil {
		return e
	}
	e := c.older[text]
	if e != nil {
		c.add(text, e)
	}
	return e
}

func (c *cache) put(text string, e *Expression) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(text, e)
}

// add needs mu.
func (c *cache) add(text string, e *Expression) {
	if len(c.recent) >= generation {
		c.older, c.recent = c.recent, make(map[string]*Expression)
	}
	c.recent[text] = e
}
