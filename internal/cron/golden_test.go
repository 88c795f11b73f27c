package cron

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// readVectors reads a file of testdata/cron.
func readVectors[T any](t *testing.T, name string) []T {
	t.Helper()
	data, err := os.ReadFile("../../testdata/cron/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var vectors []T
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	return vectors
}

func mustParse(t testing.TB, expr string) *Expression {
	t.Helper()
	e, err := Parse(expr)
	if err != nil {
		t.Fatalf("Parse(%q): %v", expr, err)
	}
	return e
}

func mustZone(t testing.TB, name string) *Zone {
	t.Helper()
	z, err := LoadZone(name)
	if err != nil {
		t.Fatalf("LoadZone(%q): %v", name, err)
	}
	return z
}

func TestNext_GoldenVectors(t *testing.T) {
	t.Parallel()
	type vector struct {
		ID, Expr, Zone string
		From           time.Time
		Next           []time.Time
	}
	vectors := readVectors[vector](t, "cron-golden.json")
	if got, want := len(vectors), 63; got != want {
		t.Errorf("got %d vectors, want %d", got, want)
	}
	for _, v := range vectors {
		e, z, at := mustParse(t, v.Expr), mustZone(t, v.Zone), v.From
		for _, want := range v.Next {
			got, ok := e.Next(at, z)
			if !ok || !got.Equal(want) {
				t.Errorf("%s: %q in %s after %s: got %s (%t), want %s", v.ID, v.Expr, v.Zone, at, got, ok, want)
				break
			}
			at = got
		}
	}
}

func TestParse_InvalidVectors(t *testing.T) {
	t.Parallel()
	fields := []string{"expression", minuteField.name, hourField.name, domField.name, monthField.name, dowField.name}
	vectors := readVectors[struct{ ID, Expr, Reason string }](t, "cron-invalid.json")
	if got, want := len(vectors), 72; got < want {
		t.Errorf("got %d vectors, want %d or more", got, want)
	}
	for _, v := range vectors {
		_, err := Parse(v.Expr)
		var syntax *SyntaxError
		if !errors.As(err, &syntax) {
			t.Errorf("%s: Parse(%q) gave %v, want a SyntaxError: %s", v.ID, v.Expr, err, v.Reason)
			continue
		}
		if !slices.Contains(fields, syntax.Field) || !strings.HasPrefix(err.Error(), syntax.Field+": ") || syntax.Msg == "" {
			t.Errorf("%s: %q does not name its field and reason", v.ID, err)
		}
	}
}
