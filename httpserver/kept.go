package httpserver

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// A kept answer is what a write with an Idempotency-Key leaves in the state: a byte
// for its version, a byte for how the rest is packed, then the status, the headers
// of keptHeaders, each after its length, and the body. Another version of the
// program may have kept it: forms are only ever added.
const (
	keptVersion = 1

	keptPlain    = 0
	keptDeflated = 1

	statusBytes = 2

	// deflateFrom is the length from which on an answer is compressed: a job's
	// echoes the body that the job sends.
	deflateFrom = 1 << 10
)

// keptHeaders are those that an answer is not whole without.
var keptHeaders = []string{headerETag, headerLocation}

var errNotKept = errors.New("these bytes are no answer that this version of the program can read")

// keep writes a success, for replay to read.
func (r *response) keep() ([]byte, error) {
	plain := binary.BigEndian.AppendUint16(nil, uint16(r.status))
	for _, name := range keptHeaders {
		value := r.header(name)
		plain = binary.AppendUvarint(plain, uint64(len(value)))
		plain = append(plain, value...)
	}
	plain = append(plain, r.body...)
	if len(plain) <= deflateFrom {
		return append([]byte{keptVersion, keptPlain}, plain...), nil
	}
	packed := bytes.NewBuffer([]byte{keptVersion, keptDeflated})
	if err := deflate(packed, plain); err != nil {
		return nil, fmt.Errorf("compress an answer: %w", err)
	}
	return packed.Bytes(), nil
}

func deflate(to io.Writer, plain []byte) error {
	w, err := flate.NewWriter(to, flate.DefaultCompression)
	if err != nil {
		return err
	}
	_, err = w.Write(plain)
	return errors.Join(err, w.Close())
}

// replay is the answer that keep wrote, marked as a repetition.
func replay(kept []byte) (*response, error) {
	plain, err := unpack(kept)
	if err != nil {
		return nil, fmt.Errorf("unpack a kept answer: %w", err)
	}
	r, err := parseKept(plain)
	if err != nil {
		return nil, fmt.Errorf("read a kept answer: %w", err)
	}
	return r.with(headerReplayed, "true"), nil
}

// unpack returns what follows the first two bytes, as it was before it was packed.
func unpack(kept []byte) ([]byte, error) {
	if len(kept) < 2 || kept[0] != keptVersion {
		return nil, errNotKept
	}
	switch packed := kept[2:]; kept[1] {
	case keptPlain:
		return packed, nil
	case keptDeflated:
		return io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), maxAnswerBytes))
	}
	return nil, errNotKept
}

func parseKept(plain []byte) (*response, error) {
	if len(plain) < statusBytes {
		return nil, errNotKept
	}
	r := &response{status: int(binary.BigEndian.Uint16(plain)), contentType: contentJSON}
	if r.status < http.StatusOK || r.status >= http.StatusMultipleChoices {
		return nil, errNotKept
	}
	rest := plain[statusBytes:]
	for _, name := range keptHeaders {
		length, n := binary.Uvarint(rest)
		if n <= 0 || length > uint64(len(rest)-n) {
			return nil, errNotKept
		}
		value, after := rest[n:n+int(length)], rest[n+int(length):]
		if len(value) > 0 {
			r.with(name, string(value))
		}
		rest = after
	}
	r.body = rest
	return r, nil
}
