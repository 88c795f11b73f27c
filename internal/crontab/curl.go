package crontab

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

const formType = "application/x-www-form-urlencoded"

// curlShort are the letters that stand for an option.
var curlShort = map[byte]string{
	's': "silent", 'S': "show-error", 'f': "fail", 'L': "location", 'v': "verbose", '#': "progress-bar", 'N': "no-buffer", 'g': "globoff",
	'X': "request", 'H': "header", 'd': "data", 'I': "head", 'A': "user-agent", 'e': "referer", 'b': "cookie", 'u': "user",
	'm': "max-time", 'o': "output",
}

// curlOptions are those that are understood. What is only about output is ignored:
// the answer of a callback goes nowhere.
var curlOptions = map[string]option{
	"silent": ignored, "show-error": ignored, "verbose": ignored, "progress-bar": ignored, "no-progress-meter": ignored, "no-buffer": ignored,
	"globoff": ignored, "compressed": ignored, "fail": ignored, "fail-with-body": ignored,
	"connect-timeout": {true, func(_ *requestBuilder, v string) bool { _, ok := seconds(v); return ok }},
	"output":          {true, func(_ *requestBuilder, v string) bool { return v == "/dev/null" }},
	"location":        {false, func(b *requestBuilder, _ string) bool { b.Redirects = true; return true }},
	"head":            {false, func(b *requestBuilder, _ string) bool { return b.setMethod(methodHead) }},
	"request":         {true, func(b *requestBuilder, v string) bool { return b.setMethod(v) }},
	"url":             {true, func(b *requestBuilder, v string) bool { b.urls = append(b.urls, v); return true }},
	"header":          {true, headerLine},
	"user-agent":      {true, func(b *requestBuilder, v string) bool { return v != "" && b.header("User-Agent", v) }},
	"referer":         {true, func(b *requestBuilder, v string) bool { return v != "" && b.header("Referer", v) }},
	"cookie":          {true, func(b *requestBuilder, v string) bool { return strings.Contains(v, "=") && b.header("Cookie", v) }},
	"user":            {true, func(b *requestBuilder, v string) bool { return strings.Contains(v, ":") && basicAuth(b, v) }},
	"oauth2-bearer":   {true, func(b *requestBuilder, v string) bool { return b.header("Authorization", "Bearer "+v) }},
	"data":            {true, curlData},
	"data-ascii":      {true, curlData},
	"data-binary":     {true, curlData},
	"data-raw":        {true, func(b *requestBuilder, v string) bool { return b.addData(v) }},
	"json":            {true, curlJSON},
	"max-time":        {true, func(b *requestBuilder, v string) bool { return setSeconds(&b.Timeout, v) }},
	"retry":           {true, func(b *requestBuilder, v string) bool { return setCount(&b.Retries, v) }},
	"retry-delay":     {true, func(b *requestBuilder, v string) bool { return setSeconds(&b.RetryDelay, v) }},
}

func (b *requestBuilder) setMethod(method string) bool {
	if b.method != "" && b.method != method {
		return false
	}
	b.method = method
	switch method {
	case methodGet, methodHead, methodPost, methodPut, methodPatch, methodDelete:
		return true
	}
	return false
}

// headerLine reads "Name: value". One without a value removes a header of curl's own.
func headerLine(b *requestBuilder, line string) bool {
	name, value, ok := strings.Cut(line, ":")
	value = strings.Trim(value, blanks)
	return ok && value != "" && strings.Trim(name, blanks) == name && b.header(name, value)
}

func basicAuth(b *requestBuilder, userPassword string) bool {
	return b.header("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(userPassword)))
}

// addData adds a part of a form.
func (b *requestBuilder) addData(v string) bool {
	b.data, b.form = append(b.data, v), true
	return true
}

// curlData is data that is no file's.
func curlData(b *requestBuilder, v string) bool { return !strings.HasPrefix(v, "@") && b.addData(v) }

// curlJSON is data, once, with the headers that go with it.
func curlJSON(b *requestBuilder, v string) bool {
	if strings.HasPrefix(v, "@") || b.data != nil {
		return false
	}
	b.data = []string{v}
	return b.header("Content-Type", "application/json") && b.header("Accept", "application/json")
}

func setSeconds(to *int, v string) (ok bool) {
	*to, ok = seconds(v)
	return ok
}

func setCount(to *int, v string) bool {
	n, err := strconv.Atoi(v)
	*to = n
	return err == nil && n >= 0
}

// curl makes the request as curl would.
func (b *requestBuilder) curl() bool {
	b.Method = methodGet
	if b.data != nil {
		b.Method = methodPost
		body := strings.Join(b.data, "&")
		b.Body = &body
		if b.form && !b.hasHeader("Content-Type") && !b.header("Content-Type", formType) {
			return false
		}
	}
	if b.method != "" {
		b.Method = b.method
	}
	return b.Body == nil || b.Method != methodGet && b.Method != methodHead
}

// Curl is a command that makes the request: [Entry.Request] reads it again.
func (r *Request) Curl() string {
	args := []string{"curl", "-fsS"}
	if r.Redirects {
		args = append(args, "-L")
	}
	switch implied := r.impliedMethod(); {
	case r.Method == methodHead:
		args = append(args, "-I")
	case r.Method != implied:
		args = append(args, "-X", r.Method)
	}
	if r.Timeout > 0 {
		args = append(args, "-m", strconv.Itoa(r.Timeout))
	}
	if r.Retries > 0 {
		args = append(args, "--retry", strconv.Itoa(r.Retries))
	}
	if r.RetryDelay > 0 {
		args = append(args, "--retry-delay", strconv.Itoa(r.RetryDelay))
	}
	for _, h := range r.Headers {
		args = append(args, "-H", fmt.Sprintf("%s: %s", h.Name, h.Value))
	}
	if r.Body != nil {
		args = append(args, "--data-raw", *r.Body)
	}
	for i, a := range args {
		args[i] = shellQuote(a)
	}
	return strings.Join(append(args, shellQuote(r.URL)), " ")
}

// impliedMethod is the one that curl uses if none is named.
func (r *Request) impliedMethod() string {
	if r.Body != nil {
		return methodPost
	}
	return methodGet
}
