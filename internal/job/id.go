package job

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	idPrefix          = "job_"
	executionIDPrefix = "ex_"

	// suffixBits is the low part of ExecutionID.Order: zero for the execution of
	// a slot, random and non-zero for one that a person asked for.
	suffixBits = 16
)

// ID names a job: 64 random bits, written "job_" and 16 hexadecimal digits.
type ID uint64

func (id ID) String() string { return fmt.Sprintf(idPrefix+"%016x", uint64(id)) }

// ParseID reads what [ID.String] writes; false for anything else.
func ParseID(s string) (ID, bool) {
	digits, ok := strings.CutPrefix(s, idPrefix)
	if !ok || !isLowerHex(digits, 16) {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 16, 64)
	return ID(n), err == nil
}

// ExecutionID names an execution. It is derived, not drawn: the job, and an
// order within the job that begins with the time in Unix milliseconds. The same
// slot therefore has the same execution ID on every leader, and the executions
// of one job sort by time. Written "ex_" and 32 hexadecimal digits.
type ExecutionID struct {
	Job   ID
	Order uint64
}

// SlotExecution is the ID of the execution of job id's slot.
func SlotExecution(id ID, slot time.Time) ExecutionID {
	return ExecutionID{Job: id, Order: uint64(slot.UnixMilli()) << suffixBits}
}

// ManualExecution is the ID of an execution that was asked for at the given
// time. The salt, chance drawn by the leader, keeps two runs in one millisecond
// apart; it is never taken for a slot's.
func ManualExecution(id ID, at time.Time, salt uint16) ExecutionID {
	return ExecutionID{Job: id, Order: uint64(at.UnixMilli())<<suffixBits | uint64(max(salt, 1))}
}

// GapExecution is the ID of the MISSED record of a gap that begins with the
// slot from: the ID that the slot's own execution would have had.
func GapExecution(id ID, from time.Time) ExecutionID { return SlotExecution(id, from) }

// IsZero reports whether x names no execution.
func (x ExecutionID) IsZero() bool { return x == ExecutionID{} }

// Time is what the ID begins with: the slot, or when the execution was asked for.
func (x ExecutionID) Time() time.Time { return time.UnixMilli(int64(x.Order >> suffixBits)).UTC() }

func (x ExecutionID) String() string {
	return fmt.Sprintf(executionIDPrefix+"%016x%016x", uint64(x.Job), x.Order)
}

// ParseExecutionID reads what [ExecutionID.String] writes; false for anything
// else.
func ParseExecutionID(s string) (ExecutionID, bool) {
	digits, ok := strings.CutPrefix(s, executionIDPrefix)
	if !ok || !isLowerHex(digits, 32) {
		return ExecutionID{}, false
	}
	id, err := strconv.ParseUint(digits[:16], 16, 64)
	order, err2 := strconv.ParseUint(digits[16:], 16, 64)
	return ExecutionID{Job: ID(id), Order: order}, err == nil && err2 == nil
}

func isLowerHex(s string, length int) bool {
	if len(s) != length || s != strings.ToLower(s) {
		return false
	}
	_, err := hex.DecodeString(s)
	return err == nil
}

// Instant is t as the program keeps instants: UTC, whole milliseconds, no
// monotonic reading.
func Instant(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMilli(t.UnixMilli()).UTC()
}
