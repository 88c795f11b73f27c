package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"syscall"
	"testing"

	"github.com/cronraft/cronraft/internal/checker"
	"github.com/cronraft/cronraft/internal/localcluster"
)

func TestClassify(t *testing.T) {
	t.Parallel()
	problem := func(code string) string { return fmt.Sprintf(`{"code":%q}`, code) }
	for _, c := range []struct {
		status int
		body   string
		want   checker.Outcome
		final  bool
	}{
		{200, `{"data":{}}`, checker.OK, true},
		{201, `{"data":{}}`, checker.OK, true},
		{202, `{"data":{}}`, checker.OK, true},
		{400, problem("validation_error"), checker.Refused, true},
		{409, problem("overlap"), checker.Refused, true},
		{412, problem("precondition_failed"), checker.Refused, true},
		{429, problem("rate_limited"), checker.Refused, true},
		{500, problem("internal"), checker.Unknown, false},
		{503, problem("no_leader"), checker.Refused, false},
		{503, problem("disk_full"), checker.Refused, false},
		{503, problem("outcome_unknown"), checker.Unknown, false},
		{503, problem("something new"), checker.Unknown, false},
		{502, `<html>`, checker.Unknown, false},
		{507, problem("disk_full"), checker.Refused, false},
	} {
		r := classify(localcluster.Answer{Status: c.status, Body: []byte(c.body)})
		if r.outcome != c.want || r.final() != c.final {
			t.Errorf("%d %s: got %s, final %v, want %s, %v", c.status, c.body, r.outcome, r.final(), c.want, c.final)
		}
	}
}

func TestOutcomeOfError(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		want checker.Outcome
	}{
		"dial refused":      {&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, checker.Refused},
		"reset":             {&net.OpError{Op: "read", Err: syscall.ECONNRESET}, checker.Unknown},
		"closed unanswered": {io.EOF, checker.Unknown},
		"time-out":          {context.DeadlineExceeded, checker.Unknown},
		"anything else":     {errors.New("?"), checker.Unknown},
	} {
		wrapped := &url.Error{Op: "Post", URL: "http://n1", Err: c.err}
		if got := outcomeOfError(wrapped); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}
