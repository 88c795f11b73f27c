package httpserver

import (
	"time"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/internal/job"
)

// auditEntry is a slot of an audit, or what is left of a gap.
type auditEntry struct {
	api.AuditSlot
	// at is its place in the audit.
	at time.Time
	// inGap: it is a slot of a gap, which comes before it.
	inGap bool
}

// entries are the records of a page, and beside each gap the slots of it that were
// backfilled: what they became since tells more than that they were missed.
func (a audit) entries(list job.SlotRecords) []auditEntry {
	var entries []auditEntry
	for i := range list.Records {
		x := &list.Records[i]
		if x.Result != job.Missed {
			entries = append(entries, auditEntry{AuditSlot: encodeSlot(x, a.lateAfter), at: x.ScheduledAt})
			continue
		}
		filled := backfillsOf(x, list.Backfills)
		if gap, left := encodeGap(x, len(filled)); left && !(a.inGap && !gap.at.After(a.page)) {
			entries = append(entries, gap)
		}
		for _, f := range filled {
			if !f.ScheduledAt.Before(a.page) && f.ScheduledAt.Before(a.to) {
				entries = append(entries, auditEntry{AuditSlot: encodeBackfilled(f, a.lateAfter), at: f.ScheduledAt, inGap: true})
			}
		}
	}
	return entries
}

// cut takes limit entries, and tells where the next page begins; nil if there is none.
func (a audit) cut(entries []auditEntry, list job.SlotRecords, limit int) (page []auditEntry, next *audit) {
	switch n := len(list.Records); {
	case len(entries) > limit:
		a.page, a.inGap = entries[limit].at, entries[limit].inGap
		return entries[:limit], &a
	case list.More && n > 0:
		a.page, a.inGap = slotEnd(&list.Records[n-1]).Add(time.Millisecond), false
		return entries, &a
	}
	return entries, nil
}

// encodeGap is what is left of a gap; false if all of it was backfilled.
func encodeGap(x *job.Execution, filled int) (gap auditEntry, left bool) {
	gap = auditEntry{AuditSlot: encodeSlot(x, 0), at: x.ScheduledAt}
	gap.LastAt, gap.Count = instant(slotEnd(x)), max(1, x.MissedCount)-filled
	return gap, gap.Count > 0
}

// backfillsOf has one execution for each slot of a gap that was backfilled, oldest
// slot first: of several the one that succeeded, or else the newest.
func backfillsOf(gap *job.Execution, all []job.Execution) []*job.Execution {
	var list []*job.Execution
	for i := range all {
		x := &all[i]
		if x.ScheduledAt.Before(gap.ScheduledAt) || x.ScheduledAt.After(slotEnd(gap)) {
			continue
		}
		last := len(list) - 1
		switch {
		case last < 0 || !list[last].ScheduledAt.Equal(x.ScheduledAt):
			list = append(list, x)
		case list[last].Result != job.Success || x.Result == job.Success:
			list[last] = x
		}
	}
	return list
}

// encodeBackfilled is a slot as its backfill left it. It was late however soon that
// began: a backfill is due when it is asked for, and its slot was before.
func encodeBackfilled(x *job.Execution, lateAfter time.Duration) api.AuditSlot {
	slot := encodeSlot(x, lateAfter)
	if slot.Class == api.AuditOnTime {
		slot.Class = api.AuditLate
	}
	if !x.StartedAt.IsZero() {
		late := max(0, x.StartedAt.Sub(x.ScheduledAt).Milliseconds())
		slot.LatenessMs = &late
	}
	return slot
}
