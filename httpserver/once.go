package httpserver

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"

	"github.com/cronraft/cronraft/internal/job"
)

// maxOnceKey bounds the length of an Idempotency-Key.
const maxOnceKey = 255

// writeOnce makes a write, and answers it. With an Idempotency-Key it takes effect
// once: write, the backend's call, is told of it. Show makes the answer of what is
// written. It is made before the commit then, because it is committed too, and goes
// out as it was made: the first caller and whoever repeats the request get the same
// bytes.
func writeOnce[T any](c *call, show func(T) (*response, error), write func(*job.Idempotent[T]) (T, []byte, error)) (*response, error) {
	key, err := c.onceKey()
	if err != nil {
		return nil, err
	}
	var shown *response
	var ask *job.Idempotent[T]
	if key != "" {
		ask = &job.Idempotent[T]{Key: c.onceHash(key), Request: c.fingerprint(), Answer: func(v T) (kept []byte, err error) {
			if shown, err = show(v); err != nil {
				return nil, err
			}
			return shown.keep()
		}}
	}
	v, again, err := write(ask)
	switch {
	case err != nil:
		return nil, err
	case len(again) > 0:
		return replay(again)
	case shown != nil:
		return shown, nil
	}
	return show(v)
}

// onceKey is the Idempotency-Key; empty if there is none.
func (c *call) onceKey() (string, error) {
	lines := c.headerLines(headerOnce)
	if len(lines) == 0 {
		return "", nil
	}
	key := lines[0]
	if len(lines) > 1 {
		return "", headerError(headerOnce, "must come once, not %d times", len(lines))
	}
	if key == "" || len(key) > maxOnceKey || strings.ContainsFunc(key, isNotVisible) {
		return "", headerError(headerOnce, "must have 1 to %d characters, all of them visible ASCII; a UUID is fine", maxOnceKey)
	}
	return key, nil
}

// checkOnce tells what is wrong with the Idempotency-Key.
func (c *call) checkOnce() error {
	_, err := c.onceKey()
	return err
}

func isNotVisible(r rune) bool { return r <= ' ' || r > '~' }

// onceHash is the key within what the caller sees, so that two namespaces may use
// the same one; and within what only the caller may see, if the answer has that. It
// is the same in every version of the program, as fingerprint is.
func (c *call) onceHash(key string) [32]byte {
	if c.confidential {
		return digest([]byte(c.namespace()), []byte(key), []byte(c.key.ID))
	}
	return digest([]byte(c.namespace()), []byte(key))
}

// fingerprint tells a repetition from another request: all that a client's intent
// can be in.
func (r *request) fingerprint() [32]byte {
	parts := [][]byte{[]byte(r.method), []byte(r.path), []byte(r.query), r.body}
	if namespace := r.header(headerNamespace); namespace != "" {
		parts = append(parts, []byte(namespace))
	}
	return digest(parts...)
}

// digest hashes the parts, each after its length, so that none runs into the next.
func digest(parts ...[]byte) [32]byte {
	h := sha256.New()
	for _, p := range parts {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(p))))
		h.Write(p)
	}
	return [32]byte(h.Sum(nil))
}
