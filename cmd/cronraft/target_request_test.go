package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/cronraft/cronraft/internal/localcluster"
)

// oddBody has what is easily damaged on the way: quotes, line ends, a NUL, letters
// of two, three and four bytes.
const oddBody = "{\"a\": \"\u00e9\u20ac\U0001f600\",\r\n\t\"b\":\"\\u0041 \\\"<&>\\\" \u2028\"}\x00 \n"

// requestScenes are the options that say what is requested.
func requestScenes() []scene {
	scenes := []scene{
		{field: "targetUrl", url: "/a%2Fb/c%20d/%C3%A9;p='(x)'/~.,$!*:@?x=1&y=a%26b&z=%20&empty=&bare&plus=a+b&d=1&d=2", check: func(t *testing.T, p *play) {
			a := p.wait(t, 1)[0]
			same(t, "request target", "http://"+a.Host+a.URI, p.created.text("targetUrl"))
			same(t, "host", "http://"+a.Host, p.target.URL)
		}},
		{field: "headers", job: `"headers":{"Authorization":"Bearer s3cr=t, \"x\"","x-Own":"\u00e9","Accept":""}`, check: checkHeaders},
		{field: "headers_Content-Type", job: `"headers":{"content-type":"application/vnd.own+json"},"body":"{}"`, check: wantContentType("application/vnd.own+json")},
		{field: "body", job: `"body":` + quoted(oddBody), check: wantBody(oddBody)},
		{field: "body_empty", job: `"body":""`, check: wantBody("")},
		{field: "body_null", job: `"body":null`, check: wantBody("")},
		{field: "body_largest", job: `"body":` + quoted(strings.Repeat("\u00e9", 128<<10)), check: wantBody(strings.Repeat("\u00e9", 128<<10))},
		{field: "body_JSON", job: `"body":"[1, 2]"`, check: wantContentType("application/json")},
		{field: "body_text", job: `"body":"one, two"`, check: wantContentType("text/plain; charset=utf-8")},
		{field: "signPayloads", job: `"signPayloads":true,"body":` + quoted(oddBody), check: func(t *testing.T, p *play) {
			verify(t, p.wait(t, 1)[0], localcluster.RootKey)
		}},
		{field: "signPayloads_without_body", job: `"signPayloads":true,"httpMethod":"GET"`, check: func(t *testing.T, p *play) {
			verify(t, p.wait(t, 1)[0], localcluster.RootKey)
		}},
		{field: "signPayloads_false", job: `"body":"{}"`, check: func(t *testing.T, p *play) {
			if got := p.wait(t, 1)[0].Header.Values("webhook-signature"); got != nil {
				t.Errorf("signed with %q", got)
			}
		}},
		{field: "signPayloads_rotation", schedule: never, check: checkRotation},
	}
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
		scenes = append(scenes, scene{field: "httpMethod_" + method, job: `"httpMethod":"` + method + `"`, check: func(t *testing.T, p *play) {
			same(t, "method", p.wait(t, 1)[0].Method, method)
			same(t, "result", p.first(t).text("result"), "SUCCESS")
		}})
	}
	return scenes
}

// quoted is the text as a JSON string.
func quoted(text string) string {
	out, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(out)
}

func wantBody(want string) func(*testing.T, *play) {
	return func(t *testing.T, p *play) {
		a := p.wait(t, 1)[0]
		if a.Body != want || a.Length != int64(len(want)) {
			t.Errorf("%d bytes, announced as %d: %.80q; want %d: %.80q", len(a.Body), a.Length, a.Body, len(want), want)
		}
		got, _ := p.job(t)["body"].(string)
		same(t, "the body on a read", got == want, true)
	}
}

func wantContentType(want string) func(*testing.T, *play) {
	return func(t *testing.T, p *play) {
		same(t, "Content-Type", strings.Join(p.wait(t, 1)[0].Header.Values("Content-Type"), "|"), want)
	}
}

// checkHeaders wants the values at the target and nowhere in the API, also after an
// edit that keeps one and replaces another.
func checkHeaders(t *testing.T, p *play) {
	want := func(a arrival, name, value string) {
		t.Helper()
		same(t, name, strings.Join(a.Header.Values(name), "|"), value)
	}
	a := p.wait(t, 1)[0]
	want(a, "Authorization", `Bearer s3cr=t, "x"`)
	want(a, "X-Own", "\u00e9")
	want(a, "Accept", "")
	want(a, "Content-Type", "") // there is no body
	for _, j := range []fields{p.created, p.job(t), p.patch(t, `{"headers":{"Authorization":"***","x-Own":"new","Accept":null}}`), p.job(t)} {
		for name, value := range j.object("headers") {
			same(t, "the value of "+name+" on a read", value, any("***"))
		}
		if strings.Contains(j.String(), "s3cr") {
			t.Errorf("the value is shown: %v", j)
		}
	}
	p.first(t)
	p.run(t)
	a = p.wait(t, 2)[1]
	want(a, "Authorization", `Bearer s3cr=t, "x"`)
	want(a, "X-Own", "new")
}

// verify checks the request's signature with the official library.
func verify(t *testing.T, a arrival, key string) {
	t.Helper()
	if err := verifies(a, key); err != nil {
		t.Errorf("%s: %v", a.Header.Get("webhook-signature"), err)
	}
	changed := a
	changed.Body += " "
	if verifies(changed, key) == nil {
		t.Error("the signature is also good for another body")
	}
	timestamp, err := strconv.ParseInt(a.Header.Get("webhook-timestamp"), 10, 64)
	if err != nil || timestamp > a.At.Unix() {
		t.Errorf("webhook-timestamp %q, arrived at %d", a.Header.Get("webhook-timestamp"), a.At.Unix())
	}
}

func verifies(a arrival, key string) error {
	hook, err := standardwebhooks.NewWebhook("whsec_" + base64.StdEncoding.EncodeToString([]byte(key)))
	if err != nil {
		return err
	}
	return hook.VerifyIgnoringTimestamp([]byte(a.Body), a.Header)
}

// signatureCount is how many signatures a request has.
func signatureCount(a arrival) int { return len(strings.Fields(a.Header.Get("webhook-signature"))) }

// checkRotation replaces the key that has created a job: first with an overlap, in
// which both keys sign, then without.
func checkRotation(t *testing.T, p *play) {
	var key fields
	p.ask(t, "POST", "/api-keys", `{"name":"signer","role":"EDITOR"}`, http.StatusCreated, &key)
	old := key.text("apiKey")
	p.create(t, old, fmt.Sprintf(`{"name":"signPayloads_rotation","targetUrl":"%s/signPayloads_rotation",%s,"signPayloads":true,"body":"{}"}`, p.target.URL, never))
	next := func(count, signers int) arrival {
		t.Helper()
		p.outcome(t, p.run(t))
		a := p.wait(t, count)[count-1]
		same(t, "signatures", signatureCount(a), signers)
		return a
	}
	rotate := func(body string) string {
		t.Helper()
		p.ask(t, "POST", "/api-keys/"+key.text("keyId")+"/rotate", body, http.StatusOK, &key)
		return key.text("apiKey")
	}
	verify(t, next(1, 1), old)

	second := rotate(`{"overlapSeconds":3600}`)
	a := next(2, 2)
	verify(t, a, old)
	verify(t, a, second)

	third := rotate(`{"overlapSeconds":0}`)
	a = next(3, 1)
	verify(t, a, third)
	for _, gone := range []string{old, second} {
		if verifies(a, gone) == nil {
			t.Error("a key that was replaced still signs")
		}
	}
}

// create gives the play another job, made with a key of its own.
func (p *play) create(t *testing.T, key, body string) {
	t.Helper()
	answer, err := p.c.Do(p.ctx, p.next(), localcluster.Request{Method: "POST", Path: "/jobs", Body: body, Header: map[string]string{"X-API-KEY": key}})
	if err != nil || answer.Status != http.StatusCreated {
		t.Fatalf("create: %d %s, %v", answer.Status, answer.Body, err)
	}
	if err := answer.Data(&p.created); err != nil {
		t.Fatal(err)
	}
	p.id = p.created.text("jobId")
}
