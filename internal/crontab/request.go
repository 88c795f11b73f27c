package crontab

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Request is an HTTP request that a command makes.
type Request struct {
	Method  string
	URL     string
	Headers []HTTPHeader
	Body    *string
	// Timeout is in seconds; zero if the command sets none.
	Timeout int
	// Retries and RetryDelay, in seconds, are what the command sets.
	Retries, RetryDelay int
	Redirects           bool
}

// HTTPHeader is one header of a request.
type HTTPHeader struct{ Name, Value string }

// The methods that a request may have.
const (
	methodGet    = "GET"
	methodHead   = "HEAD"
	methodPost   = "POST"
	methodPut    = "PUT"
	methodPatch  = "PATCH"
	methodDelete = "DELETE"
)

// shells are those whose words [Entry.Request] knows how to read.
var shells = []string{"sh", "bash", "dash", "ksh", "zsh"}

// steering are the variables that change what a curl or a wget does, in lower case: the
// proxies, where the two look for their settings and certificates, and what is loaded or
// run before them.
var steering = []string{
	"http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy",
	"home", "curl_home", "xdg_config_home", "netrc", "wgetrc", "system_wgetrc",
	"curl_ca_bundle", "ssl_cert_file", "ssl_cert_dir", "curl_ssl_backend", "openssl_conf",
	"ld_preload", "ld_library_path", "bash_env",
}

var errNotOneRequest = errors.New("it is no curl or wget of which every option can be kept")

// Request is what the command asks for, if it is one curl or wget and nothing else,
// of whose options each is understood and can be kept by a request alone, and which no
// variable changes. The error says why it is none.
func (e Entry) Request() (Request, error) {
	for _, v := range e.Env {
		switch {
		case v.Name == "SHELL" && !slices.Contains(shells, path.Base(v.Value)):
			return Request{}, errors.New("the variable SHELL names a program whose language is not known")
		case slices.Contains(steering, strings.ToLower(v.Name)):
			return Request{}, fmt.Errorf("the variable %s is in force, and changes what the command does", v.Name)
		}
	}
	words, ok := shellWords(e.Command)
	if e.Stdin != "" || !ok || len(words) == 0 {
		return Request{}, errNotOneRequest
	}
	b := requestBuilder{args: words[1:]}
	switch words[0] {
	case "curl", "/usr/bin/curl", "/bin/curl", "/usr/local/bin/curl":
		ok = b.read(curlOptions, curlShort, b.curl)
	case "wget", "/usr/bin/wget", "/bin/wget", "/usr/local/bin/wget":
		b.Redirects = true
		ok = b.read(wgetOptions, wgetShort, b.wget)
	default:
		ok = false
	}
	if !ok {
		return Request{}, errNotOneRequest
	}
	return b.Request, nil
}

// requestBuilder is a request that is being read.
type requestBuilder struct {
	Request
	args   []string // those that are left
	method string   // as an option says
	data   []string
	form   bool // data is a form unless a header says otherwise
	urls   []string
}

// option is what an option of a command does. It is not ok for a value that cannot be
// understood.
type option struct {
	takesValue bool
	set        func(b *requestBuilder, value string) (ok bool)
}

// ignored is an option that changes nothing about the request.
var ignored = option{set: func(*requestBuilder, string) bool { return true }}

// read reads all arguments, and lets finish make the request of them.
func (b *requestBuilder) read(long map[string]option, short map[byte]string, finish func() bool) bool {
	for len(b.args) > 0 {
		arg := b.args[0]
		b.args = b.args[1:]
		ok := true
		switch {
		case strings.HasPrefix(arg, "--"):
			ok = b.long(long, arg[2:])
		case len(arg) > 1 && arg[0] == '-':
			ok = b.short(long, short, arg[1:])
		default:
			b.urls = append(b.urls, arg)
		}
		if !ok {
			return false
		}
	}
	return len(b.urls) == 1 && b.setURL(b.urls[0]) && finish()
}

func (b *requestBuilder) long(long map[string]option, arg string) bool {
	name, value, joined := strings.Cut(arg, "=")
	o, known := long[name]
	switch {
	case !known || joined && !o.takesValue:
		return false
	case o.takesValue && !joined:
		var ok bool
		if value, ok = b.next(); !ok {
			return false
		}
	}
	return o.set(b, value)
}

// short reads letters that are options, the last perhaps with its value.
func (b *requestBuilder) short(long map[string]option, short map[byte]string, letters string) bool {
	for i := range len(letters) {
		o, known := long[short[letters[i]]]
		if !known {
			return false
		}
		if o.takesValue {
			value := letters[i+1:]
			if value == "" {
				var ok bool
				if value, ok = b.next(); !ok {
					return false
				}
			}
			return o.set(b, value)
		}
		if !o.set(b, "") {
			return false
		}
	}
	return true
}

// next is the following argument.
func (b *requestBuilder) next() (string, bool) {
	if len(b.args) == 0 {
		return "", false
	}
	value := b.args[0]
	b.args = b.args[1:]
	return value, true
}

// setURL takes http and https, and moves a password into its header.
func (b *requestBuilder) setURL(text string) bool {
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.ContainsAny(text, "#{}[] \t") {
		return false
	}
	if u.User != nil {
		password, _ := u.User.Password()
		user := u.User.Username()
		u.User = nil
		text = u.String()
		if !basicAuth(b, user+":"+password) {
			return false
		}
	}
	b.URL = text
	return true
}

// header adds one, which must not be there yet.
func (b *requestBuilder) header(name, value string) bool {
	if b.hasHeader(name) || name == "" || strings.EqualFold(name, "Host") {
		return false
	}
	b.Headers = append(b.Headers, HTTPHeader{name, value})
	return true
}

func (b *requestBuilder) hasHeader(name string) bool {
	return slices.ContainsFunc(b.Headers, func(h HTTPHeader) bool { return strings.EqualFold(h.Name, name) })
}

// seconds reads a time in seconds, rounded up.
func seconds(value string) (int, bool) {
	f, err := strconv.ParseFloat(value, 64)
	if err != nil || !(f >= 0 && f <= 1e6) {
		return 0, false
	}
	n := int(f)
	if float64(n) < f {
		n++
	}
	return n, true
}
