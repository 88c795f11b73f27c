package httpserver

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
)

const (
	requestIDPrefix = "req_"
	requestIDBytes  = 12
)

// newRequestID is a random name for one request.
func newRequestID() string {
	var b [requestIDBytes]byte
	_, _ = rand.Read(b[:]) // never fails
	return requestIDPrefix + hex.EncodeToString(b[:])
}

func isRequestID(s string) bool {
	digits, ok := strings.CutPrefix(s, requestIDPrefix)
	b, err := hex.DecodeString(digits)
	return ok && err == nil && len(b) == requestIDBytes
}
