package e2e

import "time"

// fate is why a screen did not pop: how it comes about, whom to ask about, and
// what the first line of the answer has to say.
type fate struct {
	name       string
	of         string // local part of the user's address, which the demo's negotiators have too
	when       moment
	before     string // what is heard of the call before the moment, in a scenario's lines about USER
	during     string
	after      string
	fault      string // of reapit-sim, for the rings of this
	negotiator string
	knobs      string // of reapit-sim
	client     string // the organization, when not the first
	ends       int    // outcomes to wait for
	ask        about
	says       []string
	code       int
}

// moment is when a call comes.
type moment int

const (
	usual   moment = iota
	stalled        // transform does not run until a ring has become too old
	cut            // and the hub has lost its only listener meanwhile
	last           // when everybody else has been served
)

// about is what explain is asked about.
type about int

const (
	theCall   about = iota
	byAddress       // the user
	byID
)

// What is fixed of the organizations: the second is a customer who removes the application.
const (
	firstOrganization  = "29f6e823-b484-e611-80c9-00505689257e"
	secondOrganization = "39f6e823-b484-e611-80c9-00505689257e"
	unheardOf          = "sam.tate"
	colleague          = "hal.irwin"
	colleagueID        = "bb1141d5-df97-e611-80c9-00505689257e"
	ringDeadline       = 5 * time.Second
)

const aRing = "+0s UserCallInComing user=USER\n+0s UserCallInUserAllocated user=USER\n"

var fates = []fate{
	{
		name: "accepted by Reapit, and not shown", of: "jane", during: aRing, ends: 1,
		says: []string{"Jane's screen (JAS) was told: Reapit accepted the incomingCall ", "(HTTP 202, 1 attempt)", "if it was not, check there: JAS's login to AgencyCloud, and SBOX's configuration request"},
	},
	{
		name: "not subscribed", of: unheardOf, during: aRing, ask: byID,
		says: []string{"No call concerned ", "nobody listens to them: ingest has subscribed to nothing of theirs"},
	},
	{
		name: "not subscribed, asked by address", of: unheardOf, during: aRing, ask: byAddress, code: 1,
		says: []string{"No call concerned sam.tate@agency.example ", "nobody listens to them"},
	},
	{
		name: "nobody listened while it rang", of: "ola.price", when: cut,
		before: "+0s UserCallInComing user=USER\n", during: "+0s UserCallInUserAllocated user=USER\n", after: "+0s UserCallInDisconnected user=USER reason=remote\n", ends: 1,
		says: []string{"Ola Price's screen (OLA) did not pop: RTE never said that the phone rang, and nobody listened to them from "},
	},
	{
		name: "nobody listened during the call", of: "pat.quinn", when: cut, during: aRing, ask: byID,
		says: []string{"No call concerned ", "nobody listened to them from ", "what happened then is in no stream"},
	},
	{
		name: "no such negotiator", of: "nobody", during: aRing, ends: 1,
		says: []string{"Nobody's screen was not told: nobody@agency.example is no negotiator of Reapit's: no active negotiator has"},
	},
	{
		name: "the negotiator is inactive", of: "eve.frost", during: aRing, ends: 1, ask: byAddress,
		says: []string{"Eve Frost's screen was not told: eve.frost@agency.example is no negotiator of Reapit's: ", "inactive"},
	},
	{
		name: "do not disturb", of: "dan.ellis", ends: 1, ask: byAddress,
		during: "+0s UserCallInComing user=USER\n+0s UserCallInUserOverflow user=USER reason=DND\n+0.1s UserCallInDisconnected user=USER reason=remote\n",
		says:   []string{"Dan Ellis's screen (DAN) did not pop: the phone never rang: do not disturb was on (DND)", "of the missed call it was told"},
	},
	{
		name: "busy", of: "fay.grant", ends: 1,
		during: "+0s UserCallInComing user=USER\n+0s UserCallInUserOverflow user=USER reason=BusyOnBusy\n+0.1s UserCallInDisconnected user=USER reason=remote\n",
		says:   []string{"Fay Grant's screen (FAY) did not pop: the phone never rang: the user was busy (BusyOnBusy)", "of the missed call it was told"},
	},
	{
		name: "superseded", of: "gus.hall", negotiator: "GUS", ends: 4, fault: `{"status":503}`,
		during: "+0s UserCallInUserAllocated user=USER\n+0s UserCallInUserAllocated user=" + colleague + "\n+1s UserCallInUserConnected user=" + colleague + "\n",
		says:   []string{"Gus Hall's screen (GUS) was not told: its incomingCall was overtaken before it could be sent: somebody else answered first"},
	},
	{
		name: "expired: late", of: "ned.owens", when: stalled, during: aRing, ends: 1,
		says: []string{"Ned Owens's screen (NED) was not told: its incomingCall expired ", "past its deadline of 5s: it came to deliver too late"},
	},
	{
		name: "expired: Reapit in trouble", of: "tim.usher", negotiator: "TIM", during: aRing, ends: 1, fault: `{"status":500}`,
		says: []string{"Tim Usher's screen (TIM) was not told: its incomingCall expired ", "deadline of 5s: Reapit did not take it (HTTP 500"},
	},
	{
		name: "throttled", of: "leo.marsh", negotiator: "LEO", when: last, during: aRing, ends: 1, fault: `{"status":429}`,
		says: []string{"Leo Marsh's screen (LEO) was not told: its incomingCall expired ", "it was throttled by Reapit's limits", "(HTTP 429"},
	},
	{
		name: "the customer is parked", of: "may.noble", client: secondOrganization, during: aRing, ends: 1, knobs: `{"notInstalled":["RES"]}`,
		says: []string{"May Noble's screen (MAY) was not told: its incomingCall expired ", "the customer was parked, because Reapit refuses all of it (HTTP 401"},
	},
	{
		name: "rejected", of: "cat.dunn", negotiator: "CAT", during: aRing, ends: 1, fault: `{"status":422,"text":"the caller is on holiday"}`,
		says: []string{"Cat Dunn's screen (CAT) was not told: Reapit refused its incomingCall for good (HTTP 422, 1 attempt)", "the caller is on holiday", "it is dead letter "},
	},
	{
		name: "dead-lettered", of: "ida.jarvis", negotiator: "IDA", during: aRing, ends: 1, fault: `{"status":409,"text":"the moon is full"}`,
		says: []string{"Ida Jarvis's screen (IDA) was not told: Reapit refused its incomingCall for good (HTTP 409, 1 attempt)", "the moon is full", "it is dead letter "},
	},
}
