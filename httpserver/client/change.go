package client

import "encoding/json"

// Change is what a patch does to one field. Its zero value leaves the field as it is.
type Change[T any] struct {
	isSet bool
	value *T
}

// To sets a field.
func To[T any](v T) Change[T] { return Change[T]{isSet: true, value: &v} }

// ToDefault puts the default back, which for many fields is that there is none: null.
func ToDefault[T any]() Change[T] { return Change[T]{isSet: true} }

// IsZero reports whether the field is left as it is.
func (c Change[T]) IsZero() bool { return !c.isSet }

// MarshalJSON writes the value or null.
func (c Change[T]) MarshalJSON() ([]byte, error) { return json.Marshal(c.value) }
