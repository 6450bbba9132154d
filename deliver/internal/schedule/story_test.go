package schedule_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringstream/deliver/internal/delivery"
	"ringstream/deliver/internal/schedule"
	"ringstream/schemas/event"
)

var update = flag.Bool("update", false, "rewrite the stories' answers")

// A story is a file of commands, each behind "> ", and what the schedule
// answered to them:
//
//	> at 5s                              the clock, from 0s
//	> group                              one request for several negotiators, from the beginning
//	> offer incoming c1 u1 u3            an event of a call and its audience; by=u1: who answered; ago=40s: it is older; doubt: perhaps sent before a crash; of=RES: whose
//	> next                               what goes out, and what leaves unsent; slots=5 rate=100 spare=0 more=2s live: what the limits leave
//	> result c1/1/N1 deliver             what came of an attempt; wait=2s; perhaps: shown all the same; trial: of a pause; late; slot=30s: still taken; status=504
//	> restart                            saved and loaded
//	> known                              the negotiators are, for whom "offer … blind" waits
//	> doubt                              what waits was perhaps sent before a crash
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.story")
	if err != nil || len(files) == 0 {
		t.Fatal("no stories", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".story"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := tell(t, string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if got != string(want) && !*update {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

type teller struct {
	*testing.T
	s        *schedule.Schedule
	policy   schedule.Policy
	begin    time.Time
	now      time.Time
	position uint64
	sequence map[string]int
	out      strings.Builder
	causes   []string // of what ended
}

// tell runs the commands again and writes them with their answers.
func tell(t *testing.T, story string) string { return play(t, story).out.String() }

func play(t *testing.T, story string) *teller {
	begin := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	w := &teller{T: t, policy: schedule.Policy{Deadlines: limits}, begin: begin, now: begin, sequence: map[string]int{}}
	w.s = schedule.New(w.policy)
	for line := range strings.Lines(story) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "> "); ok {
			w.out.WriteString("> " + text + "\n")
			w.do(strings.Fields(text))
		} else if strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "" {
			w.out.WriteString(line)
		}
	}
	return w
}

func (w *teller) do(words []string) {
	switch words[0] {
	case "at":
		w.now = w.begin.Add(w.duration(words[1]))
	case "offer":
		w.offer(words[1:])
	case "group":
		w.policy.Group = true
		w.s = schedule.New(w.policy)
	case "next":
		w.next(words[1:])
	case "result":
		w.result(words[1:])
	case "restart":
		data, err := w.s.Saved()
		if err == nil {
			w.s, err = schedule.Load(w.policy, data)
		}
		if err != nil {
			w.Fatal(err)
		}
	case "doubt":
		w.s.Doubt()
	case "known":
		for _, o := range w.s.Known("", w.now) {
			w.resolve(o)
		}
	default:
		w.Fatalf("unknown command %q", words)
	}
}

func (w *teller) duration(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		w.Fatal(err)
	}
	return d
}

func (w *teller) offer(words []string) {
	id := words[1]
	w.sequence[id]++
	w.position++
	c := event.Call{CallID: id, Type: event.CallType(words[0]), OccurredAt: w.now, Sequence: w.sequence[id]}
	o := schedule.Offer{Position: w.position, Received: w.now, Customer: "SBOX", Now: w.now}
	blind := false
	for _, word := range words[2:] {
		key, value, option := strings.Cut(word, "=")
		switch {
		case word == "doubt":
			o.Doubt = true
		case word == "blind":
			blind = true
		case !option:
			u := event.User{UserID: word}
			c.Audience = append(c.Audience, u)
		case key == "by":
			c.AnsweredBy = &event.User{UserID: value}
		case key == "of":
			o.Customer = value
		case key == "ago":
			c.OccurredAt = w.now.Add(-w.duration(value))
		}
	}
	if o.Call = c; blind {
		w.s.Await(o)
		return
	}
	w.resolve(o)
}

func (w *teller) resolve(o schedule.Offer) {
	for _, u := range o.Call.Audience {
		m := schedule.Member{User: u, Negotiator: who[u.UserID], Reason: "not known"}
		if o.Customer == "" {
			m = schedule.Member{User: u, Reason: "no customer"}
		}
		o.Audience = append(o.Audience, m)
	}
	if o.Call.AnsweredBy != nil {
		o.AnsweredBy = who[o.Call.AnsweredBy.UserID]
	}
	w.records(w.s.Offer(o))
}

func (w *teller) next(words []string) {
	room := schedule.Room{Slots: 5, Rate: 100}
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		switch n, _ := strconv.Atoi(value); key {
		case "more":
			room.More = w.begin.Add(w.duration(value))
		case "slots":
			room.Slots = n
		case "rate":
			room.Rate = n
		case "spare":
			room.Spare = n
		case "live":
			room.Live = true
		default:
			w.Fatalf("unknown room %q", word)
		}
	}
	p := w.s.Next(w.now, room)
	w.records(p.Record)
	for _, q := range p.Send {
		for i, d := range q {
			fmt.Fprintf(&w.out, "%s %s %s\n", []string{"send", "with"}[min(i, 1)], d.ID(), d.Call.Type)
		}
	}
	if !p.Due.IsZero() {
		fmt.Fprintf(&w.out, "due at %s\n", p.Due.Sub(w.begin))
	}
}

func (w *teller) result(words []string) {
	status := 0
	v := delivery.Verdict{Action: delivery.Action(words[1]), Cause: "cause", Reason: "trouble"}
	if slices.Contains([]delivery.Action{delivery.Deliver, delivery.Shadow}, v.Action) {
		v.Cause, v.Reason = "", ""
	}
	for _, word := range words[2:] {
		switch key, value, _ := strings.Cut(word, "="); key {
		case "trial":
			v.Trial = true
		case "perhaps":
			v.Perhaps = true
		case "late":
			v.Late = true
		case "slot":
			v.Slot = w.duration(value)
		case "status":
			status, _ = strconv.Atoi(value)
		case "wait":
			v.Wait, v.Hold = w.duration(value), w.duration(value)
		default:
			w.Fatalf("unknown result %q", word)
		}
	}
	w.records(w.s.Result(schedule.Report{ID: words[0], Verdict: v, Posted: true, Status: status, Started: w.now, Now: w.now}))
}

func (w *teller) records(all []schedule.Record) {
	for _, r := range all {
		w.causes = append(w.causes, string(r.Outcome)+" "+r.Cause)
		fmt.Fprintf(&w.out, "%s %s %s", r.Outcome, r.Delivery.ID(), r.Delivery.Call.Type)
		if r.Reason != "" {
			w.out.WriteString(": " + r.Reason)
		}
		w.out.WriteString("\n")
	}
}
