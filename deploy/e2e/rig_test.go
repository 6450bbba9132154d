package e2e

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"ringstream/deploy/local/stack"
)

const binaries = "../../bin"

// rig is a running stack and what a test asks of it.
type rig struct {
	*stack.Stack
	t  *testing.T
	js jetstream.JetStream
}

// start runs a stack that ends with the test. On failure the logs are kept
// where the test says.
func start(t *testing.T, o stack.Options) *rig {
	t.Helper()
	dir, err := os.MkdirTemp("", "ringstream-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	o.Dir, o.Bin, o.NATSPort, o.Guard = dir, binaries, cmp.Or(o.NATSPort, -1), guard()
	s, err := stack.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Stop()
		allowed(t, s.LogDir())
		if t.Failed() {
			t.Logf("the logs are in %s", s.LogDir())
			return
		}
		_ = os.RemoveAll(dir)
	})
	js, err := jetstream.New(dial(t, s.NATS(tester)))
	if err != nil {
		t.Fatal(err)
	}
	return &rig{Stack: s, t: t, js: js}
}

// settings are those with which a program connects as this user, and more.
func (r *rig) settings(user string, more ...string) []string {
	return append(stack.Settings(r.NATS(user)), more...)
}

// playing is how a played scenario stands.
type playing struct {
	ID       string     `json:"id"`
	CallIDs  []string   `json:"callIds"`
	Events   int        `json:"events"`
	Finished *time.Time `json:"finished"`
	Error    string     `json:"error"`
}

type play struct {
	Text        string  `json:"text"`
	Speed       float64 `json:"speed,omitempty"`
	Repeat      int     `json:"repeat,omitempty"`
	Every       string  `json:"every,omitempty"`
	Subscribers int     `json:"subscribers,omitempty"`
	All         bool    `json:"all"`
	Wait        bool    `json:"wait"`
}

func (r *rig) play(p play) (done playing) {
	r.t.Helper()
	p.All, p.Subscribers = true, max(p.Subscribers, 1)
	r.post(r.RTESim()+"/control/play", p, &done)
	if done.Error != "" {
		r.t.Fatal(done.Error)
	}
	return done
}

// finished waits for the end of what is being played.
func (r *rig) finished(id string) playing {
	r.t.Helper()
	var list []playing
	r.get(r.RTESim()+"/control/playing?wait=true&id="+id, &list)
	if len(list) != 1 || list[0].Error != "" {
		r.t.Fatalf("playing: %+v", list)
	}
	return list[0]
}

// notification is one that the CRM accepted.
type notification struct {
	Seq          int       `json:"seq"`
	Time         time.Time `json:"time"`
	NegotiatorID string    `json:"negotiatorId"`
	SubType      string    `json:"subType"`
	Request      int       `json:"request"`
	Payload      payload   `json:"payload"`
}

type payload struct {
	ID            string  `json:"id"`
	Created       string  `json:"created"`
	CallerID      string  `json:"callerId"`
	DestinationID *string `json:"destinationId"`
	HuntGroup     *bool   `json:"huntGroup"`
	AnsweredByID  *string `json:"answeredById"`
}

func (r *rig) notifications() []notification {
	r.t.Helper()
	var page struct {
		Total         int            `json:"total"`
		Notifications []notification `json:"notifications"`
	}
	r.get(r.ReapitSim()+"/control/notifications?limit=1000000", &page)
	if page.Total != len(page.Notifications) {
		r.t.Fatalf("%d of %d notifications", len(page.Notifications), page.Total)
	}
	return page.Notifications
}

// outcomes counts the records in DELIVERIES.
func (r *rig) outcomes() uint64 { return r.stored("DELIVERIES", "deliveries.>") }

func (r *rig) stored(stream, filter string) (n uint64) {
	r.t.Helper()
	s, err := r.js.Stream(r.t.Context(), stream)
	if err != nil {
		r.t.Fatal(err)
	}
	info, err := s.Info(r.t.Context(), jetstream.WithSubjectFilter(filter))
	if err != nil {
		r.t.Fatal(err)
	}
	for _, count := range info.State.Subjects {
		n += count
	}
	return n
}

func (r *rig) get(url string, into any) { r.t.Helper(); r.exchange(http.MethodGet, url, nil, into) }
func (r *rig) post(url string, body, into any) {
	r.t.Helper()
	r.exchange(http.MethodPost, url, body, into)
}

func (r *rig) exchange(method, url string, body, into any) {
	r.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), 5*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(b))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode/100 != 2 {
		r.t.Fatalf("%s %s: %s %s %v", method, url, resp.Status, answer, err)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(answer, into); err != nil {
		r.t.Fatalf("%s %s: %v in %.300s", method, url, err, answer)
	}
}

// logged reports whether a process has written a text to its log.
func (r *rig) logged(file, text string) bool {
	r.t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		r.t.Fatal(err)
	}
	return bytes.Contains(b, []byte(text))
}

// eventually polls until the condition holds; what says what was waited for.
func (r *rig) eventually(patience time.Duration, what func() string, condition func() bool) {
	r.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(patience)
	for !condition() {
		if time.Now().After(deadline) {
			r.t.Fatalf("waited %v in vain: %s", patience, what())
		}
		<-tick.C
	}
}

func say(format string, args ...any) func() string {
	return func() string { return fmt.Sprintf(format, args...) }
}
