package httpserver

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/internal/job"
)

const onceKey = "8e03978e-40d5-43dd-bc93-6894a57f9324"

func TestOnce_Create(t *testing.T) {
	t.Parallel()
	leader, follower := pair(t)
	first := leader.do("POST", "/jobs", tutorialJob, "Idempotency-Key", onceKey)
	first.want(201)
	for name, s := range map[string]*testServer{"leader": leader, "follower": follower} {
		checkReplay(t, name, s.do("POST", "/jobs", tutorialJob, "Idempotency-Key", onceKey), first)
	}
	if got := leader.writes(); got != 1 || len(leader.jobs) != 1 {
		t.Errorf("%d writes, %d jobs", got, len(leader.jobs))
	}
	s := follower.do("POST", "/jobs", tutorialJob, "Idempotency-Key", onceKey+"x")
	if s.want(201); s.header.Get("Idempotency-Replayed") != "" || s.body == first.body {
		t.Errorf("another key repeats: %v %s", s.header, s.body)
	}
}

// checkReplay compares a repetition with the first answer: all of it but what names
// one exchange.
func checkReplay(t *testing.T, name string, got, first answer) {
	t.Helper()
	if got.status != first.status || got.body != first.body {
		t.Errorf("%s: got  %d %s\nwant %d %s", name, got.status, got.body, first.status, first.body)
	}
	if got.header.Get("Idempotency-Replayed") != "true" || first.header.Get("Idempotency-Replayed") != "" {
		t.Errorf("%s: Idempotency-Replayed: %q, first %q", name, got.header.Get("Idempotency-Replayed"), first.header.Get("Idempotency-Replayed"))
	}
	one, two := got.header.Clone(), first.header.Clone()
	for _, h := range []http.Header{one, two} {
		for _, own := range []string{"Idempotency-Replayed", "X-Request-Id", "X-Cron-Node", "X-Cron-Applied-Index", "Date"} {
			h.Del(own)
		}
	}
	if !reflect.DeepEqual(one, two) {
		t.Errorf("%s: headers %v\nfirst %v", name, one, two)
	}
}

// The first caller gets what was kept, not what the job has become by then.
func TestOnce_FirstAnswerIsTheKeptOne(t *testing.T) {
	t.Parallel()
	s := start(t, "n1", &backend{store: newStore(), committed: func(j *job.Job) { j.Name = "changed since" }})
	if got := s.do("POST", "/jobs", tutorialJob).want(201); got["name"] != "changed since" {
		t.Errorf("without a key: %v", got)
	}
	first := s.do("POST", "/jobs", tutorialJob, "Idempotency-Key", onceKey)
	if got := first.want(201); got["name"] != "Refresh Cache" {
		t.Errorf("with a key: %v", got)
	}
	checkReplay(t, "again", s.do("POST", "/jobs", tutorialJob, "Idempotency-Key", onceKey), first)
}

func TestOnce_LargeAnswer(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	body := strings.Replace(tutorialJob, "products", strings.Repeat("products and more ", 10000), 1)
	first := s.do("POST", "/jobs", body, "Idempotency-Key", onceKey)
	first.want(201)
	checkReplay(t, "again", s.do("POST", "/jobs", body, "Idempotency-Key", onceKey), first)
	for _, kept := range s.answers {
		if len(kept.answer) > len(first.body)/10 {
			t.Errorf("%d bytes are kept of %d", len(kept.answer), len(first.body))
		}
	}
}

func TestOnce_RunAndCancel(t *testing.T) {
	t.Parallel()
	_, s := pair(t)
	path := jobPath(s.do("POST", "/jobs", tutorialJob).want(201))
	run := s.do("POST", path+"/run", "", "Idempotency-Key", onceKey)
	execution := "/executions/" + run.want(202)["executionId"].(string)
	checkReplay(t, "run", s.do("POST", path+"/run", "", "Idempotency-Key", onceKey), run)

	cancel := s.do("POST", execution+"/cancel", "", "Idempotency-Key", "c")
	if got := cancel.want(202)["result"]; got != "CANCELLED" {
		t.Errorf("result %v", got)
	}
	writes := s.writes()
	checkReplay(t, "cancel", s.do("POST", execution+"/cancel", "", "Idempotency-Key", "c"), cancel)
	// What came of it meanwhile is no reason against the repetition.
	s.do("DELETE", path, "").want(200)
	checkReplay(t, "run of what is gone", s.do("POST", path+"/run", "", "Idempotency-Key", onceKey), run)
	if got := s.writes(); got != writes+1 {
		t.Errorf("%d writes, want %d", got, writes+1)
	}
}

func TestOnce_Mismatch(t *testing.T) {
	t.Parallel()
	leader, s := pair(t)
	path := jobPath(s.do("POST", "/jobs", tutorialJob).want(201))
	s.do("POST", path+"/run", `{"overlapPolicy":"ALLOW"}`, "Idempotency-Key", onceKey).want(202)
	before := leader.writes()
	for name, other := range map[string][2]string{
		"other body": {path + "/run", `{"overlapPolicy":"BUFFER_ONE"}`},
		"no body":    {path + "/run", ""},
		"one blank":  {path + "/run", `{"overlapPolicy": "ALLOW"}`},
		"other path": {"/jobs", tutorialJob},
	} {
		t.Run(name, func(t *testing.T) {
			a := s.do("POST", other[0], other[1], "Idempotency-Key", onceKey)
			a.problem(422, "idempotency_mismatch")
			if a.header.Get("Idempotency-Replayed") != "" {
				t.Error("a refusal says that it is a repetition")
			}
		})
	}
	if got := leader.writes(); got != before {
		t.Errorf("%d writes", got-before)
	}
}

func TestOnce_RefusalsAreNotKept(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	s.do("POST", "/jobs", "{}", "Idempotency-Key", onceKey).problem(400, "validation_error")
	path := jobPath(s.do("POST", "/jobs", tutorialJob, "Idempotency-Key", onceKey).want(201))
	running := "/executions/" + s.do("POST", path+"/run", "").want(202)["executionId"].(string)
	s.do("POST", path+"/run", "", "Idempotency-Key", "second").problem(409, "overlap")
	s.do("POST", running+"/cancel", "").want(202)
	a := s.do("POST", path+"/run", "", "Idempotency-Key", "second")
	if a.want(202); a.header.Get("Idempotency-Replayed") != "" {
		t.Error("the refusal was kept")
	}
}

func TestOnce_Namespaces(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	seen := map[string]string{}
	for _, key := range []string{rootKey, teamKey, defaultKey} {
		id := s.do("POST", "/jobs", tutorialJob, "X-API-KEY", key, "Idempotency-Key", onceKey).want(201)["jobId"].(string)
		if other, known := seen[id]; known {
			t.Errorf("%s repeats what %s did", key, other)
		}
		seen[id] = key
	}
}

// TestOnce_MadeKeys repeats the creation of a key with other keys of the namespace:
// the answer has a key that is shown to its creator.
func TestOnce_MadeKeys(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	create := func(key string) string {
		t.Helper()
		made := s.do("POST", "/api-keys", `{"name":"x","role":"ADMIN","namespace":"team"}`, "X-API-KEY", key, "Idempotency-Key", onceKey, "X-Cron-Namespace", "team").want(201)
		return made["apiKey"].(string)
	}
	first := create(rootKey)
	if again := create(rootKey); again != first {
		t.Error("the creator does not get the key again")
	}
	second := create(first)
	if second == first {
		t.Error("another key of the namespace was shown the key")
	}
	if third := create(second); third == first || third == second {
		t.Error("a third key of the namespace was shown one")
	}
}

func TestOnce_TwoLines(t *testing.T) {
	t.Parallel()
	_, s := pair(t)
	got := s.raw("POST /api/cron-service/jobs HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-API-KEY: " + rootKey +
		"\r\nIdempotency-Key: a\r\nidempotency-key: a\r\nContent-Length: " + fmt.Sprint(len(tutorialJob)) + "\r\n\r\n" + tutorialJob)
	if !strings.HasPrefix(got, "HTTP/1.1 400 ") || !strings.Contains(got, `"field":"Idempotency-Key"`) {
		t.Errorf("got %s", got)
	}
	if s.writes() != 0 {
		t.Error("written")
	}
}

func TestOnce_OtherMethods(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	bad := []string{"Idempotency-Key", "a b"}
	path := jobPath(s.do("POST", "/jobs", tutorialJob).want(201))
	s.do("GET", path, "", bad...).want(200)
	s.do("PATCH", path, `{"name":"m"}`, bad...).want(200)
	s.do("PATCH", path, `{"name":"n"}`, bad...).want(200)
	s.do("POST", "/cluster/transfer-leadership", "", bad...).want(200)
	s.do("DELETE", path, "", bad...).want(200)
	s.do("DELETE", path, "", bad...).problem(404, "not_found")
	if len(s.answers) != 0 {
		t.Errorf("%d answers are kept", len(s.answers))
	}
}

func TestOnce_LongestKey(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	for _, key := range []string{"!", "~", strings.Repeat("k", maxOnceKey)} {
		s.do("POST", "/jobs", tutorialJob, "Idempotency-Key", key).want(201)
	}
	if len(s.answers) != 3 {
		t.Errorf("%d answers are kept", len(s.answers))
	}
}

// A key is looked up by what these functions made of it a day ago, on a node that may
// run another version of the program: their values never change.
func TestOnce_HashesAreForEver(t *testing.T) {
	t.Parallel()
	r := &request{method: "POST", path: "/api/cron-service/jobs/job_%31/run", query: "a=b", body: []byte("{}")}
	team, root := &call{request: r, key: job.APIKey{Namespace: "team"}}, &call{request: r, key: job.APIKey{Namespace: "team", Root: true}}
	for _, tt := range []struct {
		name string
		got  [32]byte
		want string
	}{
		{"request", r.fingerprint(), "83ebc098d52126776c1793b4bebe7cbcc17f313c3792d6152ce03af3e28f4929"},
		{"key", team.onceHash("k"), "9e0bbc0ccb867b656d851904bcea42923309e5043993716f78a5f99a66db9a57"},
		{"root's key", root.onceHash("k"), "2ea6f34171d16d8c2d539a9c1d2c72bccd3d19c78bd41a2c737b103d8f5a14e5"},
	} {
		if got := hex.EncodeToString(tt.got[:]); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestFingerprint_Differs(t *testing.T) {
	t.Parallel()
	base := request{method: "POST", path: "/a", query: "b", body: []byte("c")}
	if again := base; again.fingerprint() != base.fingerprint() {
		t.Error("equal requests differ")
	}
	for name, edit := range map[string]func(*request){
		"method":           func(r *request) { r.method = "PUT" },
		"path":             func(r *request) { r.path = "/A" },
		"query":            func(r *request) { r.query = "" },
		"body":             func(r *request) { r.body = nil },
		"other boundaries": func(r *request) { r.path, r.query = "/ab", "" },
	} {
		other := base
		if edit(&other); other.fingerprint() == base.fingerprint() {
			t.Errorf("another %s is no other request", name)
		}
	}
	same := base
	same.headers, same.id = []header{{"User-Agent", "x"}}, "req_2"
	if same.fingerprint() != base.fingerprint() {
		t.Error("what is not the client's intent counts")
	}
}

func TestOnce_UnreadableAnswer(t *testing.T) {
	t.Parallel()
	s := startLeader(t)
	s.do("POST", "/jobs", tutorialJob, "Idempotency-Key", onceKey).want(201)
	for key, kept := range s.answers {
		kept.answer = append([]byte{keptVersion + 1}, kept.answer[1:]...)
		s.answers[key] = kept
	}
	s.do("POST", "/jobs", tutorialJob, "Idempotency-Key", onceKey).problem(500, "internal")
	if logs := s.logs.String(); !strings.Contains(logs, "no answer that this version") {
		t.Errorf("logged %s", logs)
	}
}

// TestKeep_FormIsForEver reads what version 1 wrote.
func TestKeep_FormIsForEver(t *testing.T) {
	t.Parallel()
	want := (&response{status: 201, contentType: contentJSON, body: []byte("{}\n")}).with(headerETag, `"1"`).with(headerLocation, "/j")
	const golden = "\x01\x00\x00\xc9\x03\"1\"\x02/j{}\n"
	if kept, err := want.keep(); err != nil || string(kept) != golden {
		t.Errorf("kept as %q (%v)", kept, err)
	}
	got, err := replay([]byte(golden))
	if err != nil || !reflect.DeepEqual(got, want.with(headerReplayed, "true")) {
		t.Errorf("got %+v (%v), want %+v", got, err, want)
	}
}

func TestKeep_Sizes(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, deflateFrom - 4, deflateFrom - 3, 100 << 10} {
		r := &response{status: 202, contentType: contentJSON, body: bytes.Repeat([]byte("x"), size)}
		kept, err := r.keep()
		if err != nil {
			t.Fatal(err)
		}
		if packed := kept[1] == keptDeflated; packed != (size+statusBytes+len(keptHeaders) > deflateFrom) {
			t.Errorf("%d bytes: packed %v", size, packed)
		}
		got, err := replay(kept)
		if err != nil || got.status != 202 || !bytes.Equal(got.body, r.body) || len(got.headers) != 1 {
			t.Errorf("%d bytes: %+v (%v)", size, got, err)
		}
	}
}

func TestReplay_Broken(t *testing.T) {
	t.Parallel()
	for name, kept := range map[string]string{
		"nothing":          "",
		"version only":     "\x01",
		"later version":    "\x02\x00\x00\xc9\x00\x00{}",
		"unknown packing":  "\x01\x02\x00\xc9\x00\x00{}",
		"no status":        "\x01\x00\x00",
		"a refusal":        "\x01\x00\x01\x90\x00\x00{}",
		"no headers":       "\x01\x00\x00\xc9",
		"half a header":    "\x01\x00\x00\xc9\x05\"1\"",
		"endless length":   "\x01\x00\x00\xc9\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
		"overlong length":  "\x01\x00\x00\xc9\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
		"no compression":   "\x01\x01\xff\xff\xff",
		"half compression": "\x01\x01",
	} {
		if r, err := replay([]byte(kept)); err == nil {
			t.Errorf("%s: read as %+v", name, r)
		}
	}
}

func FuzzReplay(f *testing.F) {
	for _, seed := range []string{"", "\x01\x00\x00\xc9\x03\"1\"\x02/j{}\n", "\x01\x01\x00\xc9"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, kept []byte) {
		r, err := replay(kept)
		if err != nil {
			return
		}
		again, err := r.keep()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := replay(again); err != nil || !reflect.DeepEqual(back, r) {
			t.Fatalf("%+v came back as %+v (%v)", r, back, err)
		}
	})
}

// The answer is in the log entry beside the job that it shows, and an entry has at
// most 1 MiB.
func TestKeep_LargestJobFitsAnEntry(t *testing.T) {
	t.Parallel()
	chance := rand.New(rand.NewPCG(1, 2))
	for name, body := range map[string]string{
		"printable": randomText(chance, 256<<10, ' ', '~'),
		// A request may have 1 MiB, and each of these takes six bytes of it.
		"control characters": randomText(chance, maxBodyBytes/6, 0, ' '),
		"any plane":          randomText(chance, 64<<10, 0x10000, 0x10ffff),
	} {
		spec := job.DefaultSpec()
		spec.Target.Body = &body
		res, err := createdJob(job.Job{ID: 1, Version: 1, Spec: spec})
		if err != nil {
			t.Fatal(err)
		}
		kept, err := res.keep()
		if err != nil {
			t.Fatal(err)
		}
		if got, limit := len(kept)+len(body), 600<<10; got > limit {
			t.Errorf("%s: answer and body have %d bytes, want at most %d", name, got, limit)
		}
	}
}

func randomText(chance *rand.Rand, length int, low, high rune) string {
	var b strings.Builder
	for range length {
		b.WriteRune(low + chance.Int32N(high-low+1))
	}
	return b.String()
}

// Two tries to commit: the answer of the later one counts.
func TestOnce_AnswerOfTheLastTry(t *testing.T) {
	t.Parallel()
	c := &call{request: &request{headers: []header{{headerOnce, "k"}}}}
	show := func(v string) (*response, error) { return success(201, api.Deleted{JobID: v}) }
	res, err := writeOnce(c, show, func(once *job.Idempotent[string]) (string, []byte, error) {
		for _, v := range []string{"first", "second"} {
			if _, err := once.Answer(v); err != nil {
				return "", nil, err
			}
		}
		return "later", nil, nil
	})
	if err != nil || !strings.Contains(string(res.body), "second") {
		t.Errorf("got %s (%v)", res.body, err)
	}
	_, err = writeOnce(c, show, func(*job.Idempotent[string]) (string, []byte, error) { return "", nil, context.Canceled })
	if !isContextError(err) {
		t.Errorf("got %v", err)
	}
}
