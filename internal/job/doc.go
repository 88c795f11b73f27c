// Package job holds the words of the program: jobs, executions, attempts,
// outcomes, the decisions a leader commits about them, and the one error type
// that is meant for people.
//
// Everything here is a plain value. The package knows no clock, no storage, no
// network and no schedule syntax; it imports the standard library only. What a
// job may look like is checked by [Spec.Validate]; what may happen to it is
// decided by a leader, carried as a [Decision] and applied by package fsm.
//
// Instants are UTC with millisecond precision ([Instant]); the zero time means
// "none".
package job
