package main

import (
	"encoding/json"
	"testing"
	"time"
)

// fields are an object of the API, under the very names that it has there.
type fields map[string]any

func (f fields) text(name string) string {
	s, _ := f[name].(string)
	return s
}

// number is -1 for what is null, or not there.
func (f fields) number(name string) int {
	n, ok := f[name].(float64)
	if !ok {
		return -1
	}
	return int(n)
}

// at is zero for what is no time.
func (f fields) at(name string) time.Time {
	at, _ := time.Parse(time.RFC3339Nano, f.text(name))
	return at
}

func (f fields) object(name string) fields {
	m, _ := f[name].(map[string]any)
	return m
}

func (f fields) list(name string) []fields {
	items, _ := f[name].([]any)
	out := make([]fields, len(items))
	for i, item := range items {
		out[i], _ = item.(map[string]any)
	}
	return out
}

// code is that of the object's error; empty if it has none.
func (f fields) code() string { return f.object("error").text("code") }

// String is the object as JSON, for messages.
func (f fields) String() string {
	text, err := json.Marshal(map[string]any(f))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// same complains about what is not as it has to be.
func same[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
