package crontab

import (
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func text(s string) *string { return &s }

func TestRequest(t *testing.T) {
	t.Parallel()
	form := []HTTPHeader{{"Content-Type", formType}}
	for command, want := range map[string]Request{
		"curl http://example.com/":                                              {Method: "GET", URL: "http://example.com/"},
		"curl example.com/a?b=1":                                                {Method: "GET", URL: "http://example.com/a?b=1"},
		"/usr/bin/curl -fsSL 'https://e.com/?a=1&b=2'":                          {Method: "GET", URL: "https://e.com/?a=1&b=2", Redirects: true},
		"curl -s http://e.com >/dev/null 2>&1":                                  {Method: "GET", URL: "http://e.com"},
		"curl -s http://e.com > /dev/null":                                      {Method: "GET", URL: "http://e.com"},
		"curl -s http://e.com &>/dev/null":                                      {Method: "GET", URL: "http://e.com"},
		"curl http://e.com -o /dev/null 2>/dev/null":                            {Method: "GET", URL: "http://e.com"},
		"curl --request POST --url https://e.com":                               {Method: "POST", URL: "https://e.com"},
		"curl -I e.com":                                                         {Method: "HEAD", URL: "http://e.com"},
		"curl -XDELETE e.com":                                                   {Method: "DELETE", URL: "http://e.com"},
		"curl -d a=1 -d b=2 e.com":                                              {Method: "POST", URL: "http://e.com", Body: text("a=1&b=2"), Headers: form},
		"curl -sd a=1 e.com":                                                    {Method: "POST", URL: "http://e.com", Body: text("a=1"), Headers: form},
		"curl -X PUT --data-raw @a -H \"Content-Type:  text/plain \" e.com":     {Method: "PUT", URL: "http://e.com", Body: text("@a"), Headers: []HTTPHeader{{"Content-Type", "text/plain"}}},
		`curl --json '{"a":"b c"}' e.com`:                                       {Method: "POST", URL: "http://e.com", Body: text(`{"a":"b c"}`), Headers: []HTTPHeader{{"Content-Type", "application/json"}, {"Accept", "application/json"}}},
		`curl -d "{\"a\": \"it's\"}" -H 'content-type: application/json' e.com`: {Method: "POST", URL: "http://e.com", Body: text(`{"a": "it's"}`), Headers: []HTTPHeader{{"content-type", "application/json"}}},
		"curl -u me:secret -A agent -e ref -b a=b e.com": {Method: "GET", URL: "http://e.com", Headers: []HTTPHeader{
			{"Authorization", "Basic bWU6c2VjcmV0"}, {"User-Agent", "agent"}, {"Referer", "ref"}, {"Cookie", "a=b"}}},
		"curl http://me:secret@e.com/x":                                   {Method: "GET", URL: "http://e.com/x", Headers: []HTTPHeader{{"Authorization", "Basic bWU6c2VjcmV0"}}},
		"curl -m 2.5 --retry 3 --retry-delay 7 --connect-timeout 5 e.com": {Method: "GET", URL: "http://e.com", Timeout: 3, Retries: 3, RetryDelay: 7},
		"wget -q -O /dev/null http://e.com/cron":                          {Method: "GET", URL: "http://e.com/cron", Redirects: true},
		"wget -qO- http://e.com/cron":                                     {Method: "GET", URL: "http://e.com/cron", Redirects: true},
		"wget -nv --spider --timeout=9 -t 3 http://e.com":                 {Method: "HEAD", URL: "http://e.com", Redirects: true, Timeout: 9, Retries: 2},
		"wget --post-data 'a=b' --header='X: y' e.com":                    {Method: "POST", URL: "http://e.com", Redirects: true, Body: text("a=b"), Headers: []HTTPHeader{{"X", "y"}, {"Content-Type", formType}}},
		"wget --method=PUT --body-data=x --max-redirect=0 e.com":          {Method: "PUT", URL: "http://e.com", Body: text("x"), Headers: form},
	} {
		got, err := Entry{Command: command, Env: []Var{{"MAILTO", "me"}, {"PATH", "/bin"}, {"SHELL", "/bin/bash"}}}.Request()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v (%v)\nwant %+v", command, got, err, want)
		}
	}
}

func TestRequest_NotAloneOrNotUnderstood(t *testing.T) {
	t.Parallel()
	for _, command := range []string{
		"", "echo http://e.com", "curl", "curl -s", "curl http://a http://b", "curl http://e.com | sh", "curl http://e.com; ls", "curl http://e.com && ls", "curl http://e.com &",
		"curl http://e.com?a=1&b=2", "curl $URL", `curl "http://e.com/$(date)"`, "curl `url`", "curl http://e.com > /tmp/x", "curl -o /tmp/x http://e.com", "curl -O http://e.com/x",
		"curl -k https://e.com", "curl -d @file e.com", "curl -d @- e.com", "curl -F a=b e.com", "curl -T f e.com", "curl -K f", "curl -G -d a=b e.com", "curl -X GET -d a e.com",
		"curl -I -d a e.com", "curl -X TRACE e.com", "curl -X POST -X PUT e.com", "curl -H 'Host: x' e.com", "curl -H @file e.com", "curl -H 'Accept:' e.com", "curl -H 'A: 1' -H 'a: 2' e.com",
		"curl -b cookies.txt e.com", "curl -u me e.com", "curl ftp://e.com", "curl http://e.com/{a,b}", "curl http://e.com/[1-3]", "curl http://e.com#x", "curl -m x e.com", "curl --retry -1 e.com",
		"curl --unknown e.com", "curl --silent=1 e.com", "curl -m", "curl 'http://e.com", `curl "http://e.com`, "curl http://", "curl --json a --json b e.com", "curl -u a:b http://c:d@e.com",
		"curl -w x e.com", "curl http://e.com 2>&1x", "./curl e.com", "curl2 e.com", "FOO=1 curl e.com", "curl e.com\\", "wget http://e.com -O page", "wget -i list", "wget --no-check-certificate https://e.com",
		"wget -t 0 e.com", "wget -t x e.com", "wget --body-data=x e.com", "wget -r e.com", "wget --post-file=x e.com", "wget 'http://e.com/*'", "wget -nH e.com", "curl -d a -d b@ --json c e.com",
	} {
		if got, err := (Entry{Command: command}).Request(); !errors.Is(err, errNotOneRequest) {
			t.Errorf("%s: got %+v, %v", command, got, err)
		}
	}
	for name, e := range map[string]Entry{
		"stdin": {Command: "curl e.com", Stdin: "x\n"},
		"shell": {Command: "curl e.com", Env: []Var{{"SHELL", "/usr/bin/python3"}}},
	} {
		if got, err := e.Request(); err == nil {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

// TestRequest_Variables: what a proxy, or the settings of another home, do to a request
// no job can do, and whoever imports it is told.
func TestRequest_Variables(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY", "no_proxy", "HOME", "CURL_HOME", "WGETRC", "BASH_ENV"} {
		for _, command := range []string{"curl http://e.com/", "wget -q http://e.com/"} {
			_, err := Entry{Command: command, Env: []Var{{"PATH", "/bin"}, {name, "x"}}}.Request()
			if err == nil || !strings.Contains(err.Error(), "the variable "+name) {
				t.Errorf("%s with %s: got %v", command, name, err)
			}
		}
	}
}

// checkRequestAgain writes the request of an entry, if it is one, and reads it.
func checkRequestAgain(t interface{ Fatalf(string, ...any) }, e Entry) {
	r, err := e.Request()
	if err != nil {
		return
	}
	command := r.Curl()
	again, err := Entry{Command: command}.Request()
	if err != nil || !reflect.DeepEqual(again, r) {
		t.Fatalf("%q is %+v; its %q is %+v (%v)", e.Command, r, command, again, err)
	}
}

func TestRequest_CurlReadsAgain(t *testing.T) {
	t.Parallel()
	word := rapid.StringMatching(`[a-z"'\\ $&%é;.-]{1,8}`)
	rapid.Check(t, func(t *rapid.T) {
		r := Request{
			Method:     rapid.SampledFrom([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}).Draw(t, "method"),
			URL:        "https://e.com/" + rapid.StringMatching(`[a-z?&=%;'"$]{0,8}`).Draw(t, "path"),
			Timeout:    rapid.IntRange(0, 1800).Draw(t, "timeout"),
			Retries:    rapid.IntRange(0, 50).Draw(t, "retries"),
			RetryDelay: rapid.IntRange(0, 9).Draw(t, "delay"),
			Redirects:  rapid.Bool().Draw(t, "redirects"),
		}
		for _, name := range []string{"A", "Content-Type"} {
			r.Headers = append(r.Headers, HTTPHeader{name, "x" + word.Draw(t, "value") + "x"})
		}
		if r.Method != "GET" && r.Method != "HEAD" {
			r.Body = text(word.Draw(t, "body"))
		}
		command := r.Curl()
		got, err := Entry{Command: command}.Request()
		want := r
		if _, err := url.Parse(r.URL); err != nil {
			t.Skip("no URL")
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s:\n got %+v (%v)\nwant %+v", command, got, err, want)
		}
	})
}
