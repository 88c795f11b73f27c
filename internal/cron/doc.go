// Package cron reads cron expressions and says when they fire next in a time
// zone. It is the only user of gorhill/cronexpr, which must never see a text
// that a person wrote, and knows nothing of jobs.
//
// # How it works
//
//	text ──Parse──▶ bit sets ──▶ canonical text of * and lists ──▶ cronexpr
//	                   │                                             │ proposes
//	                   └──────────────── confirms ◀──────────────────┘
//	                                        │ wall clock, as if it were UTC
//	                     transition table of the zone ──▶ instant
//
// The bit sets are the meaning of an expression. cronexpr walks the wall clock,
// always through a copy of its value, because its Next writes to it. An answer
// that the bit sets do not confirm is walked again by them: so are the
// expressions that cronexpr cannot say (day-of-month and day-of-week, both), and
// no fault of cronexpr can make a schedule fire on a wrong day or for ever.
//
// # Clocks that change
//
// An expression is interval-like if its minute or hour field begins with * or
// its hour field names all 24 hours; else it is fixed. See [Expression.Next] for
// what either does when a zone's clock jumps.
//
// # Zones
//
// Zones come from zoneinfo.zip, which is embedded, is the archive of the Go
// release that this package was last generated with (package time/tzdata has the
// same bytes, but hands them out only where the machine has none), and is read
// by way of time.LoadLocationFromTZData. So every node that runs the same binary
// has the same zones, whatever its operating system has, and the list of names
// is known. The leader computes each instant once and the log carries it, so
// nodes of different versions agree as well.
package cron
