package executor

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
)

const maxRedirects = 5

var errTooManyRedirects = errors.New("more than 5 redirects")

// onRedirect decides about the next request of a job that follows redirects.
// Every address is checked again when it is dialled.
//
// What is secret stays with the target that the job names: a request that leaves
// it, and every one after that, carries neither the job's own headers, but for
// User-Agent and Content-Type, nor the signature, which another host could
// replay. Leaving is another host or port,
// or giving up TLS; from http to https on the same host is not. The signature is
// also dropped with the body that it signs, when a redirect turns the request
// into a GET. The service's other headers are sent along. No request tells where
// it came from, since target URLs may contain secrets too.
func onRedirect(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return errTooManyRedirects
	}
	first := via[0]
	if _, own := first.Header["Referer"]; !own {
		req.Header.Del("Referer")
	}
	if req.ContentLength != first.ContentLength {
		delete(req.Header, headerSignature)
	}
	if leaves(first.URL, req, via[1:]) {
		dropSecrets(req.Header)
	}
	_, repeatable := req.Header["Idempotency-Key"]
	_, alsoRepeatable := req.Header["X-Idempotency-Key"]
	exchangeOf(req.Context()).begin(req.Method, repeatable || alsoRepeatable)
	return nil
}

// leaves reports whether req or one of the redirects before it went elsewhere
// than the target.
func leaves(target *url.URL, req *http.Request, before []*http.Request) bool {
	for _, r := range before {
		if !sameTarget(target, r.URL) {
			return true
		}
	}
	return !sameTarget(target, req.URL)
}

func sameTarget(target, u *url.URL) bool {
	if !strings.EqualFold(target.Hostname(), u.Hostname()) {
		return false
	}
	if target.Scheme == u.Scheme {
		return port(target) == port(u)
	}
	return port(target) == "80" && u.Scheme == "https" && port(u) == "443"
}

func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	default:
		return "80"
	}
}

// dropSecrets removes the job's own headers, but for those that describe the
// request, and the signature.
func dropSecrets(h http.Header) {
	for name := range h {
		switch name {
		case "User-Agent", "Content-Type", headerJobID, headerExecutionID, headerScheduledAt, headerAttempt, headerTrigger,
			headerTraceparent, headerWebhookID, headerTimestamp:
		default:
			delete(h, name)
		}
	}
}
