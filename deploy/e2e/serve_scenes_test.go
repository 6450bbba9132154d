package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ringstream/deploy/local/stack"
)

// scene is a call that replay serve is to show.
type scene struct {
	name       string // as the browser's tests know it
	caller     string
	lines      string // of a scenario
	negotiator string // at whom Reapit is in trouble
	fault      string // of reapit-sim, for the rings of the negotiator
	ends       int    // outcomes to wait for
}

const anonymous = "anonymous"

var scenes = []scene{
	{
		name: "told", caller: "+447700900101", ends: 3,
		lines: "+0s UserCallInComing user=jane\n+0s UserCallInUserAllocated user=jane\n+1.5s UserCallInUserConnected user=jane\n+3s UserCallInDisconnected user=jane reason=local\n",
	},
	{
		name: "group", caller: "+447700900102", ends: 18,
		lines: "+0s UserCallInUserAllocated user=jane\n+0s UserCallInUserAllocated user=tom\n+0.1s UserCallInUserAllocated user=sara\n+0.1s UserCallInUserAllocated user=ali\n" +
			"+0.2s UserCallInUserAllocated user=anna.bell\n+0.2s UserCallInUserAllocated user=ben.carter\n+2.5s UserCallInUserConnected user=tom\n" +
			"+2.6s UserCallInUserCancelled user=jane reason=AnsweredElsewhere\n+4s UserCallInDisconnected user=tom reason=local\n",
	},
	{
		name: "unmapped", caller: "+447700900103", ends: 2,
		lines: "+0s UserCallInComing user=nobody\n+0s UserCallInUserAllocated user=nobody\n+1s UserCallInDisconnected user=nobody reason=remote\n",
	},
	{
		name: "rejected", caller: "+447700900104", ends: 2, negotiator: "CAT", fault: `{"status":422,"text":"the caller is on holiday"}`,
		lines: "+0s UserCallInComing user=cat.dunn\n+0s UserCallInUserAllocated user=cat.dunn\n+1s UserCallInDisconnected user=cat.dunn reason=remote\n",
	},
	{
		name: "dead", caller: "+447700900105", ends: 2, negotiator: "IDA", fault: `{"status":409,"text":"the moon is full"}`,
		lines: "+0s UserCallInComing user=ida.jarvis\n+0s UserCallInUserAllocated user=ida.jarvis\n+1s UserCallInDisconnected user=ida.jarvis reason=remote\n",
	},
	{
		name: "expired", caller: "+447700900106", ends: 2, negotiator: "TIM", fault: `{"status":500}`,
		lines: "+0s UserCallInComing user=tim.usher\n+0s UserCallInUserAllocated user=tim.usher\n+5.5s UserCallInDisconnected user=tim.usher reason=remote\n",
	},
	{
		name: "withheld", caller: anonymous, ends: 2,
		lines: "+0s UserCallInComing user=sara\n+0.2s UserCallInUserAllocated user=sara\n+2s UserCallInUserCancelled user=sara reason=CallerHungUp\n+2.1s UserCallInDisconnected user=sara reason=remote\n",
	},
	{name: "outbound", caller: "+447700900108", lines: "+0s UserCallOutGoing user=ali\n+1s UserCallOutConnected user=ali\n+2s UserCallOutDisconnected user=ali\n"},
	{name: unheardScene, caller: "+447700900109", ends: 1},
}

// unheardScene rings while nobody listens.
const (
	unheardScene = "gap"
	unheardUser  = "ola.price"
)

func sceneID(i int) string { return fmt.Sprintf("5ce7e001-93d2-4b7e-8a61-%012d", i+1) }

// performer is a user of the telephony.
type performer struct {
	UserID   string `json:"userId"`
	UserName string `json:"userName"`
}

// troupe is everybody of the scenes, and who is free for those of the browser.
func troupe() map[string]performer {
	all := map[string]performer{}
	for i, name := range []string{
		"jane", "tom", "sara", "ali", "anna.bell", "ben.carter", "nobody", "cat.dunn", "ida.jarvis", "tim.usher", unheardUser, "una.vance", "vic.walsh",
	} {
		all[name] = performer{fmt.Sprintf("ca570000-ce86-e611-80c9-%012d", i+1), name + "@agency.example"}
	}
	return all
}

// sceneSettings are those of the services that replay is to know too.
func sceneSettings() []string {
	return []string{"SETTLE_TIMEOUT=1s", "DEADLINE_INCOMING=" + ringDeadline.String()}
}

// theatre listens to the cast.
func theatre(t *testing.T) stack.Options {
	t.Helper()
	var listened []string
	for _, p := range troupe() {
		listened = append(listened, "user:"+p.UserID)
	}
	slices.Sort(listened)
	return stack.Options{Env: map[string][]string{
		"ingest": {"RTE_SUBSCRIPTIONS=" + strings.Join(listened, ",")}, "transform": sceneSettings(), "deliver": sceneSettings(),
	}}
}

// perform has all scenes, the one that nobody listens to first.
func (r *rig) perform() {
	r.t.Helper()
	r.unheard()
	for i, s := range scenes {
		if s.name == unheardScene {
			continue
		}
		if s.fault != "" {
			rule := fmt.Sprintf(`{"match":{"path":"/notifications","negotiatorId":%q,"subType":"incomingCall"},"action":%s}`, s.negotiator, s.fault)
			r.post(r.ReapitSim()+"/control/faults", json.RawMessage(rule), nil)
		}
		r.act(i, s.lines, true)
	}
	for i := range scenes {
		r.ended(i)
	}
}

// act plays lines of a scene: once somebody listens and without waiting for their
// end, or to their end, whoever listens.
func (r *rig) act(i int, lines string, listener bool) {
	r.t.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "-- organization --\n%s\n-- users --\n", firstOrganization)
	for name, p := range troupe() {
		fmt.Fprintf(&text, "%s id=%s userName=%s numbers=+442071838750\n", name, p.UserID, p.UserName)
	}
	fmt.Fprintf(&text, "-- call --\ncallId=%s caller=%s called=+442071838750\n%s", sceneID(i), scenes[i].caller, lines)
	p := play{Wait: !listener, All: true, Text: text.String()}
	if listener {
		p.Subscribers = 1
	}
	var done playing
	r.post(r.RTESim()+"/control/play", p, &done)
	if done.Error != "" {
		r.t.Fatal(done.Error)
	}
}

// unheard cuts the hub off while a phone rings.
func (r *rig) unheard() {
	r.t.Helper()
	i := slices.IndexFunc(scenes, func(s scene) bool { return s.name == unheardScene })
	hub := func(what string, body map[string]any) { r.post(r.RTESim()+"/control/"+what, body, nil) }
	r.act(i, "+0s UserCallInComing user="+unheardUser+"\n", true)
	r.eventually(time.Minute, say("the call to be in RTE"), func() bool { return r.stored("RTE", "rte.*.*.*."+sceneID(i)) > 0 })
	hub("fail", map[string]any{"what": "connect-5xx", "count": 1000})
	hub("drop", map[string]any{"mode": "reset"})
	r.act(i, "+0s UserCallInUserAllocated user="+unheardUser+"\n", false)
	hub("fail", map[string]any{"what": "connect-5xx", "count": 0})
	r.act(i, "+0s UserCallInDisconnected user="+unheardUser+" reason=remote\n", true)
	r.ended(i) // what comes next is listened to, as far as transform knows too
}

// ended waits until a scene has its outcomes.
func (r *rig) ended(i int) {
	r.t.Helper()
	s := scenes[i]
	r.eventually(time.Minute, say("%d outcomes of the call %q", s.ends, s.name), func() bool {
		return r.stored("DELIVERIES", "deliveries.*.*.*."+sceneID(i)) >= uint64(s.ends)
	})
}
