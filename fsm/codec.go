package fsm

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/cronraft/cronraft/fsm/logpb"
	"github.com/cronraft/cronraft/internal/job"
)

var marshal = proto.MarshalOptions{Deterministic: true}

// Encode writes a decision as a log entry. It fails for what no entry can hold:
// text that is not UTF-8, a word that the program does not have, a header whose
// value is not sealed; and for what this program could not read itself.
//
// A decision made for a term is applied only if it gets into the log in that
// term; zero is any.
func Encode(d job.Decision, term uint64) ([]byte, error) {
	w := &writer{}
	entry := w.entry(d)
	entry.Term = term
	if v := entry.GetVersion(); v > Version {
		w.fail("it needs an entry of version %d and this program writes %d at most", v, Version)
	}
	if w.err != nil {
		return nil, fmt.Errorf("encode %T: %w", d, w.err)
	}
	b, err := marshal.Marshal(entry)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", d, err)
	}
	return b, nil
}

// Decode reads a log entry. An error means that this node must not go on: the
// entry is corrupt, or newer than this program.
func Decode(b []byte) (d job.Decision, term uint64, err error) {
	var entry logpb.Entry
	if err := proto.Unmarshal(b, &entry); err != nil {
		return nil, 0, fmt.Errorf("decode log entry: %w", err)
	}
	switch v := entry.GetVersion(); {
	case v > Version:
		return nil, 0, fmt.Errorf("log entry has version %d and this program reads %d at most: upgrade this node", v, Version)
	case v == 0:
		return nil, 0, fmt.Errorf("decode log entry: it has no version")
	}
	r := &reader{}
	d = r.decision(&entry)
	if v := VersionOf(d); v > int(entry.GetVersion()) {
		r.fail("it has version %d and holds what needs version %d", entry.GetVersion(), v)
	}
	if r.err != nil {
		return nil, 0, fmt.Errorf("decode log entry: %w", r.err)
	}
	return d, entry.GetTerm(), nil
}
