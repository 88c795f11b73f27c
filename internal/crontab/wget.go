package crontab

import (
	"strings"
)

var wgetShort = map[byte]string{
	'q': "quiet", 'v': "verbose", 'd': "debug", 'O': "output-document", 'o': "output-file", 'T': "timeout", 't': "tries", 'U': "user-agent", 'n': "no",
}

// wgetOptions are those that are understood. A file that wget would save is the
// answer of a callback, which goes nowhere; one that has a name is wanted.
var wgetOptions = map[string]option{
	"quiet": ignored, "verbose": ignored, "debug": ignored, "no-verbose": ignored, "delete-after": ignored, "no-cache": ignored,
	"no":              {true, func(_ *requestBuilder, v string) bool { return v == "v" || v == "c" }}, // -nv, -nc
	"output-document": {true, func(_ *requestBuilder, v string) bool { return v == "/dev/null" || v == "-" }},
	"output-file":     {true, func(_ *requestBuilder, v string) bool { return v == "/dev/null" }},
	"spider":          {false, func(b *requestBuilder, _ string) bool { return b.setMethod(methodHead) }},
	"method":          {true, func(b *requestBuilder, v string) bool { return b.setMethod(v) }},
	"header":          {true, headerLine},
	"user-agent":      {true, func(b *requestBuilder, v string) bool { return v != "" && b.header("User-Agent", v) }},
	"referer":         {true, func(b *requestBuilder, v string) bool { return v != "" && b.header("Referer", v) }},
	"post-data":       {true, func(b *requestBuilder, v string) bool { return b.setMethod(methodPost) && b.onlyData(v) }},
	"body-data":       {true, func(b *requestBuilder, v string) bool { return b.onlyData(v) }},
	"timeout":         {true, func(b *requestBuilder, v string) bool { return setSeconds(&b.Timeout, v) }},
	"tries":           {true, wgetTries},
	"max-redirect":    {true, func(b *requestBuilder, v string) bool { b.Redirects = v != "0"; return true }},
}

func (b *requestBuilder) onlyData(v string) bool { return b.data == nil && b.addData(v) }

// wgetTries is one more than the retries; 0 is for ever, which a job cannot do.
func wgetTries(b *requestBuilder, v string) bool {
	ok := setCount(&b.Retries, v)
	b.Retries--
	return ok && b.Retries >= 0
}

// wget makes the request as wget would.
func (b *requestBuilder) wget() bool {
	if b.data != nil && b.method == "" || strings.Contains(b.URL, "*") {
		return false
	}
	return b.curl()
}
