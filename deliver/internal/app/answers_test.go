package app

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringstream/schemas/bustest"
	"ringstream/schemas/event"
)

// answered polls /readyz until it has the status and the words.
func (d *running) answered(status int, words ...string) {
	d.Helper()
	bustest.Eventually(d.T, strconv.Itoa(status)+" and "+strings.Join(words, ", "), func() bool {
		body := d.page(d.probes + "/readyz")
		for _, word := range words {
			if !strings.Contains(body, word) {
				return false
			}
		}
		return d.ready() == (status == http.StatusOK)
	})
}

func (d *running) metric(name string) float64 {
	d.Helper()
	found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindStringSubmatch(d.page(d.probes + "/metrics"))
	if found == nil {
		d.Fatalf("no %s", name)
	}
	value, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		d.Fatal(err)
	}
	return value
}

func TestAnHourThatReapitAsksForIsAMinute(t *testing.T) {
	r := newRig(t)
	s := r.settings()
	s.DeadlineIncoming = time.Second
	d := r.deliver(s)
	d.answered(http.StatusOK, "nothing sent yet")
	r.fault(`{"match":{"negotiatorId":"JAS"},"times":1,"action":{"status":429,"retryAfter":{"after":"1h"}}}`)
	r.say(1, event.Incoming, "", "jane")
	d.answered(http.StatusServiceUnavailable, "everything is held back until", "HTTP 429")
	if left := d.metric("ringstream_deliver_paused_seconds"); left < 30 || left > 60 {
		t.Errorf("paused for %g s more", left)
	}
	r.say(2, event.Incoming, "", "tom")
	all := r.until(2)
	r.want("what was refused", ends(all, "JAS", event.Incoming), []event.OutcomeType{event.Expired})
	r.want("what waits behind it", ends(all, "TOM", event.Incoming), []event.OutcomeType{event.Expired})
	if all[1].Cause != "limits" || !strings.Contains(all[1].Reason, "limits hold everything back") {
		t.Error(all[1].Cause, all[1].Reason)
	}
	if n := d.metric(`ringstream_deliver_outcomes_total{cause="limits",outcome="expired",type="incoming"}`); n != 2 {
		t.Errorf("%g expired because of the limits", n)
	}
	if r.lines(`"cause":"limits"`) == 0 {
		t.Error("the cause is not in the log")
	}
	d.stop()
	if said := r.said.String(); !strings.Contains(said, `"level":"ERROR","msg":"Reapit asks to wait`) || !strings.Contains(said, `"asked":"1h0m0s"`) {
		t.Error("the pause is not told")
	}
	r.account()
}

func TestAColdStartThatIsRefusedSaysWhy(t *testing.T) {
	r := newRig(t)
	s := r.settings()
	s.ClientSecret = "another"
	d := r.deliver(s)
	d.answered(http.StatusServiceUnavailable, "not read yet; cannot be read since", "invalid_client", "REAPIT_CLIENT_ID or REAPIT_CLIENT_SECRET")
}

// A hub whose clock is wrong is no reason to show nothing, or to show what is late.
func TestTheAgeOfACallIsNotByTheHubsClock(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newRig(t)
	r.begin()
	now := time.Now()
	r.sayHeard(now.Add(-40*time.Second), now, 1, event.Incoming, "", "jane")
	r.sayHeard(now.Add(40*time.Second), now, 2, event.Incoming, "", "tom")
	r.sayHeard(now.Add(40*time.Second), now.Add(-31*time.Second), 3, event.Incoming, "", "sara")
	r.merged()
	d := r.deliver(r.settings())
	all := r.until(3)
	r.want("behind", ends(all, "JAS", event.Incoming), []event.OutcomeType{event.Delivered})
	r.want("ahead", ends(all, "TOM", event.Incoming), []event.OutcomeType{event.Delivered})
	r.want("ahead, and late", ends(all, "SAR", event.Incoming), []event.OutcomeType{event.Expired})
	r.account()
	if sum := d.metric(`ringstream_deliver_delay_seconds_sum{type="incoming"}`); sum <= 0 || sum > 20 {
		t.Errorf("the delays add up to %g s", sum)
	}
}
