package page

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"ringstream/schemas/bus"
	"ringstream/schemas/event"
	"ringstream/transform/internal/replay/explain"
)

// The page of a call of each kind, byte for byte.
func TestPagesOfCalls(t *testing.T) {
	for name, s := range scenes {
		t.Run(name, func(t *testing.T) {
			p, b := newPages(true), NewBook(rules, time.Hour, 10)
			s.into(t, b)
			e := s.evidence(t)
			one := p.message("RTE", bus.Message{Seq: 1, Subject: "rte.0.org.UserCallInComing.c1", Stored: at(0), Header: map[string][]string{"ce-id": {"e1"}}, Data: []byte(`{"data":{"callId":"c1","callerNumber":"+447700900123"}}`)})
			page := p.called(e, rules.Deadlines, b.gapsOf(e.Users(), at(-time.Minute), at(time.Minute)), []message{one})
			page.Condition.State = "live"
			var out bytes.Buffer
			if err := p.render(&out, "call", page); err != nil {
				t.Fatal(err)
			}
			wellFormed(t, out.Bytes())
			if strings.Contains(out.String(), "900123") {
				t.Error("a number stands there in full")
			}
			golden(t, name+".html", out.Bytes())
		})
	}
}

// The list of all of them, and each thing that can be asked of it.
func TestList(t *testing.T) {
	b := NewBook(rules, time.Hour, 10)
	for _, name := range []string{"told", "expired", "rejected", "unmapped", "gap"} {
		scenes[name].into(t, b)
	}
	v := b.View(Query{Show: ShowAll, Page: 1}, at(10*time.Minute))
	var out bytes.Buffer
	if err := newPages(true).render(&out, "list", listed{View: v, Condition: Condition{State: "live"}}); err != nil {
		t.Fatal(err)
	}
	wellFormed(t, out.Bytes())
	golden(t, "list.html", out.Bytes())
}

// Where there is nothing, it says so, and why that may be.
func TestEmptyList(t *testing.T) {
	for _, c := range []Condition{{State: "live"}, {"lost", "No connection"}, {"reading", "so many are left"}} {
		v := NewBook(rules, 90*time.Minute, 10).View(Query{Show: ShowAll, Page: 7}, at(0))
		var out bytes.Buffer
		if err := newPages(true).render(&out, "list", listed{View: v, Condition: c}); err != nil {
			t.Fatal(err)
		}
		wellFormed(t, out.Bytes())
		for _, part := range []string{"Calls of the last 90 minutes", `data-state="` + c.State + `"`, c.Text, "RTE holds no coverage event", "no delivery in this time"} {
			if !strings.Contains(out.String(), part) {
				t.Errorf("%s: no %q", c.State, part)
			}
		}
		if found := strings.Contains(out.String(), "does ingest run, and does it listen?"); found != (c.State == "live") {
			t.Errorf("%s: it says that there are none: %v", c.State, found)
		}
	}
}

func TestRefusal(t *testing.T) {
	var out bytes.Buffer
	if err := newPages(true).render(&out, "refusal", refusal{404, "None", "<b>", []string{"this"}}); err != nil {
		t.Fatal(err)
	}
	wellFormed(t, out.Bytes())
	if s := out.String(); !strings.Contains(s, "&lt;b&gt;") || !strings.Contains(s, "<li>this</li>") {
		t.Errorf("%s", s)
	}
}

func TestWindowText(t *testing.T) {
	for d, want := range map[time.Duration]string{
		time.Hour: "hour", 24 * time.Hour: "24 hours", time.Minute: "minute", 90 * time.Minute: "90 minutes", 90 * time.Second: "1m30s",
	} {
		if got := windowText(d); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}

// wellFormed reads HTML as XML that knows HTML's empty elements, and refuses what
// the policy of the page does not let through: scripts and styles within it.
func wellFormed(t *testing.T, page []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(page, []byte("<!doctype html>"))))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	seen := map[string]bool{}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%v", err)
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		for _, a := range start.Attr {
			switch {
			case a.Name.Local == "style" || strings.HasPrefix(a.Name.Local, "on"):
				t.Errorf("<%s> has %s", start.Name.Local, a.Name.Local)
			case a.Name.Local == "id" && seen[a.Value]:
				t.Errorf("two elements are %q", a.Value)
			case a.Name.Local == "id":
				seen[a.Value] = true
			case strings.Contains(a.Value, "ZgotmplZ") || strings.Contains(a.Value, "%!"):
				t.Errorf("<%s %s=%q>", start.Name.Local, a.Name.Local, a.Value)
			}
		}
		if start.Name.Local == "style" {
			t.Error("a style stands within the page")
		}
	}
}

// Whatever the contract lets happen to a delivery has words of its own on a chip.
func TestEveryCauseIsSaidInFewWords(t *testing.T) {
	said := map[string]string{}
	for _, o := range event.OutcomeTypes() {
		for _, word := range event.Causes(o) {
			cause := explain.Cause(string(o) + "-" + word)
			text := causeText(cause)
			if string(o) != word && (text == strings.ReplaceAll(string(cause), "-", " ") || len(text) > 24) {
				t.Errorf("%s is said as %q", cause, text)
			}
			if other := said[text]; other != "" {
				t.Errorf("%s and %s are both said as %q", cause, other, text)
			}
			said[text] = string(cause)
		}
	}
}
