package client

import (
	"fmt"
	"strconv"
	"strings"
)

// Option changes one call. A call refuses an option that means nothing to it.
type Option func(*options)

// takes says which options a call has a use for.
type takes uint8

const (
	takesStale takes = 1 << iota
	takesIfMatch
	takesOnceKey
	// takesNamespace is for lists, takesNewNamespace for what makes something.
	takesNamespace
	takesNewNamespace
)

// options are what a call was given.
type options struct {
	given     takes
	namespace string
	version   uint64
	onceKey   string
	meta      *Meta
}

// Stale reads the state of the server that is asked, without waiting for anything: it
// may be behind, and works while no leader is known.
func Stale() Option { return func(o *options) { o.given |= takesStale } }

// IfMatch makes a change only if what it changes still has this version, and lets the
// client repeat it safely. Otherwise the error is [ErrPreconditionFailed].
func IfMatch(version uint64) Option {
	return func(o *options) { o.given, o.version = o.given|takesIfMatch, version }
}

// IdempotencyKey names a POST, so that it takes effect once however often it is called
// within 24 hours, with whatever client. Without it each call has a key of its own.
func IdempotencyKey(key string) Option {
	return func(o *options) { o.given, o.onceKey = o.given|takesOnceKey, key }
}

// Namespace restricts a list to a namespace, or says in which one something new is to
// be. Only the root key has a choice.
func Namespace(name string) Option {
	return func(o *options) { o.given, o.namespace = o.given|takesNamespace|takesNewNamespace, name }
}

// Meta is what an answer says beside its data.
type Meta struct {
	// Server is the address that answered, and Node the name of its node.
	Server, Node string
	RequestID    string
	// AppliedIndex is the last log entry that the answer knows of.
	AppliedIndex uint64
	// Replayed: this is the answer to an earlier request with the same Idempotency-Key.
	Replayed bool
}

// WithMeta fills m when the call has succeeded. Of a list it has the latest page.
func WithMeta(m *Meta) Option { return func(o *options) { o.meta = m } }

// optionNames are the options that are one bit each.
var optionNames = []struct {
	bit  takes
	name string
}{
	{takesStale, "Stale"}, {takesIfMatch, "IfMatch"}, {takesOnceKey, "IdempotencyKey"},
}

// check returns an error for the options that the call does not take.
func (o *options) check(t takes) error {
	var odd []string
	for _, n := range optionNames {
		if o.given&n.bit != 0 && t&n.bit == 0 {
			odd = append(odd, n.name)
		}
	}
	const anyNamespace = takesNamespace | takesNewNamespace
	if o.given&anyNamespace != 0 && t&anyNamespace == 0 {
		odd = append(odd, "Namespace")
	}
	if len(odd) > 0 {
		return fmt.Errorf("the call does not take the option %s", strings.Join(odd, ", "))
	}
	return nil
}

// etag is the entity tag of a version.
func etag(version uint64) string { return `"` + strconv.FormatUint(version, 10) + `"` }
