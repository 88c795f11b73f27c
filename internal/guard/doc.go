// Package guard holds the tests that keep the architecture: no code, and nothing
// imports it.
//
// TestLayers compares every import of the module with a table (layers_test.go).
// A package that is not in the table fails, and so does an import that its row
// does not name, of this module or of another. The table's rows have layers, and
// a row may name lower layers only, so no chain of imports leads back up.
//
// TestPurity type-checks what the log is applied with, package fsm and the words
// it works on, and fails on whatever could make two nodes differ: clock, chance,
// goroutines, network, files, environment, time zones, the order of a map.
//
// TestContract compares docs/API.md with what users may rely on: what openapi.yaml
// describes, flags, codes, metrics, the headers of callbacks. Each needs a row there,
// each row a test, and each test has to exist.
//
// All rules are tested on small sources that break them: a guard that cannot fail
// proves nothing.
package guard
