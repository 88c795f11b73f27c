package executor

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/cronraft/cronraft/internal/job"
)

func quietLog() *log.Logger { return log.New(io.Discard, "", 0) }

// redirecting answers with a redirect until the path is /end.
func redirecting(status int, to func() string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/end" {
			w.Header().Set("Location", to())
			w.WriteHeader(status)
		}
	}
}

func following(url string) job.Assignment {
	a := assignment(1, url)
	a.FollowRedirects = true
	a.Target.Body = new(`{"a":1}`)
	a.Target.Headers = []job.Header{{Name: "X-Api-Key", Value: "secret"}, {Name: "Authorization", Value: "secret"}}
	a.SigningKeys = []string{"key"}
	return a
}

func TestRedirect_Outcomes(t *testing.T) {
	t.Parallel()
	to := func(s string) func() string { return func() string { return s } }
	tests := map[string]struct {
		to     func() string
		code   job.ErrorCode
		status int
		msg    string
	}{
		"followed":       {to("/end"), "", 200, ""},
		"loop":           {to("/again"), job.ErrProtocol, 307, "more than 5 redirects"},
		"blocked":        {to("http://169.254.169.254/"), job.ErrBlockedTarget, 0, "link-local"},
		"other scheme":   {to("file:///etc/passwd"), job.ErrProtocol, 0, "neither http nor https"},
		"invalid URL":    {to("http://%zz/"), job.ErrProtocol, 0, "invalid URL"},
		"no location":    {to(""), job.ErrHTTPStatus, 307, "307"},
		"nobody listens": {to("http://" + refusingAddr(t) + "/?token=secret"), job.ErrConnect, 0, "refused"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := call(t, Config{}, following(serve(t, redirecting(307, tc.to))))
			expectCode(t, o, tc.code)
			if o.HTTPStatus != tc.status {
				t.Errorf("status = %d, want %d", o.HTTPStatus, tc.status)
			}
			if o.Err != nil && (!strings.Contains(o.Err.Msg, tc.msg) || strings.Contains(o.Err.Msg, "secret")) {
				t.Errorf("message = %q, want %q in it", o.Err.Msg, tc.msg)
			}
		})
	}
}

func TestRedirect_FiveAreFollowed(t *testing.T) {
	t.Parallel()
	n := 0
	o := call(t, Config{}, following(serve(t, redirecting(307, func() string {
		if n++; n < 5 {
			return fmt.Sprintf("/%d", n)
		}
		return "/end"
	}))))
	expectCode(t, o, "")
}

func TestRedirect_Headers(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		status                   int
		away                     bool // by way of another host
		secret, signed, withBody bool
	}{
		"same host, body kept":     {307, false, true, true, true},
		"same host, body dropped":  {303, false, true, false, false},
		"other host, body kept":    {308, true, false, false, true},
		"other host, body dropped": {302, true, false, false, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := make(chan http.Header, 1)
			bodies := make(chan string, 1)
			end := func(_ http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				bodies <- string(body)
				got <- r.Header
			}
			mux := http.NewServeMux()
			target := serve(t, mux.ServeHTTP)
			mux.HandleFunc("/end", end)
			next := target + "/end"
			if tc.away { // and back again: what was dropped stays dropped
				back := next
				next = serve(t, redirecting(tc.status, func() string { return back }))
			}
			mux.HandleFunc("/", redirecting(tc.status, func() string { return next }))
			expectCode(t, call(t, Config{UserAgent: "cronraft/1"}, following(target+"/?token=secret")), "")

			h, body := <-got, <-bodies
			check := func(name string, want bool) {
				t.Helper()
				if got := h.Get(name) != ""; got != want {
					t.Errorf("%s = %q, want present = %t", name, h.Get(name), want)
				}
			}
			check("X-Api-Key", tc.secret)
			check("Authorization", tc.secret)
			check("webhook-signature", tc.signed)
			check("Content-Type", tc.withBody)
			check("Referer", false)
			check("X-Cron-Execution-Id", true)
			check("webhook-id", true)
			if ua := h.Get("User-Agent"); ua != "cronraft/1" {
				t.Errorf("User-Agent = %q", ua)
			}
			if got := body != ""; got != tc.withBody {
				t.Errorf("body = %q, want present = %t", body, tc.withBody)
			}
		})
	}
}

func TestSameTarget(t *testing.T) {
	t.Parallel()
	tests := []struct {
		a, b string
		want bool
	}{
		{"http://a.example/x", "http://A.example:80/y", true},
		{"http://a.example", "https://a.example", true},
		{"https://a.example", "https://a.example:443", true},
		{"https://a.example", "http://a.example", false},
		{"http://a.example", "http://b.example", false},
		{"http://a.example", "http://sub.a.example", false},
		{"http://a.example", "http://a.example:8080", false},
		{"http://a.example:8080", "https://a.example", false},
		{"http://a.example", "https://a.example:8443", false},
	}
	for _, tc := range tests {
		a, errA := url.Parse(tc.a)
		b, errB := url.Parse(tc.b)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		if got := sameTarget(a, b); got != tc.want {
			t.Errorf("sameTarget(%s, %s) = %t, want %t", tc.a, tc.b, got, tc.want)
		}
	}
}
