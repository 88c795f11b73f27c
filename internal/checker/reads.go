package checker

import "time"

// checkReads wants a result that was terminal once to stay, and its record too.
func (r *run) checkReads() {
	first := map[string]*Read{}
	for i := range r.history.Reads {
		read := &r.history.Reads[i]
		if !isTerminal(read.Result) {
			continue
		}
		before := first[read.ID]
		switch {
		case before == nil:
			first[read.ID] = read
			r.checkStillThere(read)
		case before.Result != read.Result:
			r.violate(ResultChanged, r.jobOf(read), r.executions[read.ID], time.Time{}, "%s at %s, and %s at %s",
				before.Result, clock(before.At), read.Result, clock(read.At))
		case read.At.Before(before.At):
			first[read.ID] = read
		}
	}
	for i := range r.history.Reads {
		read := &r.history.Reads[i]
		if before := first[read.ID]; before != nil && !isTerminal(read.Result) && read.Asked.After(before.At) {
			r.violate(ResultChanged, r.jobOf(read), r.executions[read.ID], time.Time{}, "%s at %s, and %s when asked at %s",
				before.Result, clock(before.At), read.Result, clock(read.Asked))
		}
	}
}

// checkStillThere compares a terminal result with the record at the end.
func (r *run) checkStillThere(read *Read) {
	x, j := r.executions[read.ID], r.jobOf(read)
	if read.Result == resultMissed {
		r.checkGapStillThere(read, j)
		return
	}
	switch {
	case x != nil && x.record != nil:
		if x.record.Result != read.Result {
			r.violate(ResultChanged, j, x, time.Time{}, "%s at %s, and %s at the end", read.Result, clock(read.At), x.record.Result)
		}
	case j == nil || j.final == nil:
	case x != nil && !j.isCut(x.slot()), x == nil && j.cut.IsZero():
		r.violate(RecordVanished, j, x, time.Time{}, "execution %s was %s at %s, and has no record at the end", read.ID, read.Result, clock(read.At))
	}
}

func (r *run) checkGapStillThere(read *Read, j *job) {
	if j == nil || j.final == nil || !j.cut.IsZero() {
		return
	}
	for _, g := range j.gaps {
		if g.ID == read.ID {
			return
		}
	}
	r.violate(RecordVanished, j, nil, time.Time{}, "the gap %s was there at %s, and is gone", read.ID, clock(read.At))
}

// jobOf is the job whose execution was read; nil if it is not known.
func (r *run) jobOf(read *Read) *job {
	if x := r.executions[read.ID]; x != nil {
		return x.job
	}
	return r.byID[read.JobID]
}

// checkHashes wants nodes with the same index to have the same state.
func (r *run) checkHashes() {
	at := map[uint64]StateHash{}
	for _, h := range r.history.Hashes {
		other, ok := at[h.Index]
		if !ok {
			at[h.Index] = h
		} else if other.Hash != h.Hash {
			r.violate(HashesDiffer, nil, nil, time.Time{}, "at index %d %s has %s, and %s has %s", h.Index, other.Node, other.Hash, h.Node, h.Hash)
		}
	}
}
