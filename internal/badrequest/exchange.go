package badrequest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// patience bounds an exchange. A server waits for a request that does not come for
// less.
const patience = 30 * time.Second

// Answer is what a server has answered.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Send sends the request on a connection of its own, which it closes, and returns the
// one answer that comes before the server closes it.
func (c *Case) Send(conn net.Conn, request string) (Answer, error) {
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return Answer{}, err
	}
	go func() {
		_, _ = io.WriteString(conn, request) // the answer may come before its end
		if half, ok := conn.(interface{ CloseWrite() error }); ok && c.HalfClose {
			_ = half.CloseWrite()
		}
	}()
	// A server that has closed before it has read everything resets the connection.
	text, broken := io.ReadAll(conn)
	answer, err := c.parse(text)
	if err != nil {
		return Answer{}, fmt.Errorf("%w; %w", err, errors.Join(broken))
	}
	return answer, nil
}

// parse reads one answer, and nothing after it.
func (c *Case) parse(text []byte) (Answer, error) {
	r := bufio.NewReader(bytes.NewReader(text))
	for {
		response, err := http.ReadResponse(r, &http.Request{Method: c.Method})
		if err != nil {
			return Answer{}, fmt.Errorf("read the answer in %.300q: %w", text, err)
		}
		if response.StatusCode == http.StatusContinue {
			continue
		}
		body, err := io.ReadAll(response.Body)
		if err != nil {
			return Answer{}, fmt.Errorf("read the body in %.300q: %w", text, err)
		}
		if rest, _ := io.ReadAll(r); len(rest) > 0 { // of bytes, it does not fail
			return Answer{}, fmt.Errorf("after the answer comes %.300q", rest)
		}
		return Answer{Status: response.StatusCode, Header: response.Header, Body: body}, nil
	}
}

// problem is RFC 9457, as the API has it.
type problem struct {
	Type, Title, Detail, Code, RequestID string
	Status                               int
	Errors                               []struct{ Field, Message string }
}

// Check tells what is wrong with the answer; nil if it is the one that is wanted.
func (c *Case) Check(a Answer) error {
	var errs []error
	want := func(what string, got, want any) {
		if got != want {
			errs = append(errs, fmt.Errorf("%s %v, want %v", what, got, want))
		}
	}
	want("status", a.Status, c.Status)
	want("Content-Type", a.Header.Get("Content-Type"), "application/problem+json")
	want("with X-Cron-Node", a.Header.Get("X-Cron-Node") != "", true)
	want("with Allow", a.Header.Get("Allow") != "", c.Status == http.StatusMethodNotAllowed)
	want("with WWW-Authenticate", a.Header.Get("WWW-Authenticate") != "", c.Status == http.StatusUnauthorized)
	if c.Method == http.MethodHead {
		return errors.Join(errs...)
	}
	var p problem
	if err := json.Unmarshal(a.Body, &p); err != nil {
		return errors.Join(append(errs, fmt.Errorf("no problem in %.300q: %w", a.Body, err))...)
	}
	want("code", p.Code, c.Code)
	want("status of the problem", p.Status, c.Status)
	want("type", p.Type, "/problems/"+strings.ReplaceAll(c.Code, "_", "-"))
	want("with title and detail", p.Title != "" && p.Detail != "", true)
	want("requestId", p.RequestID, a.Header.Get("X-Request-Id"))
	want("with requestId", p.RequestID != "", true)
	errs = append(errs, c.checkFields(p))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%w\n%.2000s", err, a.Body)
	}
	return nil
}

func (c *Case) checkFields(p problem) error {
	got := make([]string, 0, len(p.Errors))
	for _, e := range p.Errors {
		got = append(got, e.Field)
		if e.Message == "" {
			return fmt.Errorf("nothing is said about the field %q", e.Field)
		}
	}
	want := slices.Clone(c.Fields)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		return fmt.Errorf("fields %q, want %q", got, want)
	}
	return nil
}
