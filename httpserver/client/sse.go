package client

import (
	"bufio"
	"io"
	"strings"
)

// maxLine bounds a line of a stream.
const maxLine = 1 << 20

// frame is one message of a stream of server-sent events. One without data only tells
// how far the stream is.
type frame struct{ id, data string }

// frameReader reads a text/event-stream. It knows no event but by its data, which says
// all.
type frameReader struct{ lines *bufio.Scanner }

func newFrameReader(r io.Reader) *frameReader {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	return &frameReader{lines: lines}
}

// next returns the next frame that says something. A frame that is not whole when the
// stream ends is none.
func (r *frameReader) next() (frame, error) {
	var f frame
	var data []string
	for r.lines.Scan() {
		line := r.lines.Text()
		if line == "" {
			f.data = strings.Join(data, "\n")
			if f != (frame{}) {
				return f, nil
			}
			data = nil
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "id":
			f.id = value
		case "data":
			data = append(data, value)
		}
	}
	if err := r.lines.Err(); err != nil {
		return frame{}, err
	}
	return frame{}, io.EOF
}
