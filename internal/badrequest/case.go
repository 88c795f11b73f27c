package badrequest

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// BasePath is where the API begins.
const BasePath = "/api/cron-service"

// validJob are the members that {valid} stands for.
const validJob = `"name":"n","intervalSeconds":31536000,"targetUrl":"http://target.test/"`

// The keys that a case may be sent with, beside those of [Fixture].
const (
	// Nobody sends no key.
	Nobody = "nobody"
	// Root is the default.
	Root = "root"
)

// Case is a request that is refused.
type Case struct {
	// Area is the file that it is from.
	Area string `json:"-"`
	Name string `json:"name"`

	Method string `json:"method"`
	// Path is below BasePath, unless it begins with //.
	Path string `json:"path"`
	// As is whose key is sent: that of [Root] if it is empty.
	As string `json:"as"`
	// Headers are lines. They replace what would be sent: a key, and a Content-Type
	// of JSON if there is a body.
	Headers []string `json:"headers"`
	Body    string   `json:"body"`
	// Raw is the whole request; it comes instead of all of the above.
	Raw string `json:"raw"`
	// Program means that only the whole program knows that it is wrong.
	Program bool `json:"program"`
	// HalfClose means that nothing more comes: the connection is closed for writing.
	// Only a connection over a network can be.
	HalfClose bool `json:"halfClose"`

	Status int    `json:"status"`
	Code   string `json:"code"`
	// Fields are all those that the problem lists, in any order.
	Fields []string `json:"fields"`
}

// Load reads the cases of a directory. Names are unique within a file.
func Load(dir string) ([]Case, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	var all []Case
	for _, file := range files {
		cases, err := loadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		all = append(all, cases...)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("there are no cases in %s", dir)
	}
	return all, nil
}

func loadFile(file string) ([]Case, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var cases []Case
	if err := d.Decode(&cases); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for i := range cases {
		c := &cases[i]
		c.Area = strings.TrimSuffix(filepath.Base(file), ".json")
		if c.Name == "" || seen[c.Name] {
			return nil, fmt.Errorf("the name %q is not that of one case alone", c.Name)
		}
		seen[c.Name] = true
		if c.Status < 400 || c.Status > 499 {
			return nil, fmt.Errorf("%s: the status %d refuses nothing", c.Name, c.Status)
		}
	}
	return cases, nil
}

// Fixture is what a test has made before it sends the cases.
type Fixture struct {
	// Keys are API keys by what [Case.As] calls them, Root among them.
	Keys map[string]string
	// Names are what placeholders stand for.
	Names map[string]string
}

var (
	repetition = regexp.MustCompile(`(?s)\{(\d+)\*(.*?)\*\}`)
	rawBytes   = regexp.MustCompile(`\{x:([0-9a-f]+)\}`)
	leftOver   = regexp.MustCompile(`\{[a-z]+\}`)
)

// fill replaces the placeholders of a text. One that is not known stays, and the
// request with it is not the one that was meant: [Case.Request] refuses it.
func (f Fixture) fill(text string) string {
	pairs := []string{"{base}", BasePath, "{valid}", validJob, "{auth}", "X-API-KEY: " + f.Keys[Root]}
	for name, value := range f.Names {
		pairs = append(pairs, "{"+name+"}", value)
	}
	text = strings.NewReplacer(pairs...).Replace(text)
	text = repetition.ReplaceAllStringFunc(text, func(m string) string {
		parts := repetition.FindStringSubmatch(m)
		n, _ := strconv.Atoi(parts[1]) // are digits
		return strings.Repeat(parts[2], n)
	})
	return rawBytes.ReplaceAllStringFunc(text, func(m string) string {
		b, _ := hex.DecodeString(rawBytes.FindStringSubmatch(m)[1]) // of an odd length is cut
		return string(b)
	})
}

// URL is the path and query of the request, as they are sent.
func (c *Case) URL(f Fixture) string {
	if outside, ok := strings.CutPrefix(c.Path, "//"); ok {
		return f.fill("/" + outside)
	}
	return f.fill(BasePath + c.Path)
}

// Payload is the body as it is sent.
func (c *Case) Payload(f Fixture) string { return f.fill(c.Body) }

// Request is all that is sent.
func (c *Case) Request(f Fixture) (string, error) {
	for _, text := range append([]string{c.Path, c.Body, c.Raw}, c.Headers...) {
		if m := leftOver.FindString(f.fill(text)); m != "" {
			return "", fmt.Errorf("nothing is known that %s stands for", m)
		}
	}
	if c.Raw != "" {
		return f.fill(c.Raw), nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nConnection: close\r\n", c.Method, c.URL(f))
	for _, line := range c.headerLines(f) {
		b.WriteString(line + "\r\n")
	}
	b.WriteString("\r\n" + c.Payload(f))
	return b.String(), nil
}

// headerLines are those that differ from case to case.
func (c *Case) headerLines(f Fixture) []string {
	lines := make([]string, 0, len(c.Headers))
	for _, line := range c.Headers {
		lines = append(lines, f.fill(line))
	}
	usual := []string{"Host: cron.test"}
	who := c.As
	if who == "" {
		who = Root
	}
	if who != Nobody {
		usual = append(usual, "X-API-KEY: "+f.Keys[who])
	}
	if c.Body != "" {
		usual = append(usual, "Content-Type: application/json")
	}
	if c.Body != "" || c.Method == "POST" {
		usual = append(usual, fmt.Sprintf("Content-Length: %d", len(c.Payload(f))))
	}
	for _, line := range usual {
		name, _, _ := strings.Cut(line, ":")
		if !c.hasHeader(name) {
			lines = append(lines, line)
		}
	}
	return lines
}

func (c *Case) hasHeader(name string) bool {
	for _, line := range c.Headers {
		if given, _, _ := strings.Cut(line, ":"); strings.EqualFold(given, name) {
			return true
		}
	}
	return false
}
