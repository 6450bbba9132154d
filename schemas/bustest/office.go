package bustest

import (
	"fmt"
	"math/rand/v2"
	"time"

	"ringstream/schemas/bus"
	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

// Office makes the raw messages of an office at work, as ingest stores them:
// calls of every kind, many at a time. One seed gives one sequence of messages,
// but for their times.
type Office struct {
	random     *rand.Rand
	users      []string
	partitions int
	calls      []*OfficeCall // under way
}

// OfficeCall is one call of an office.
type OfficeCall struct {
	office         *Office
	id             string
	caller, called string
	users          [3]int
	steps          []officeStep // still to come
}

// officeStep is an event of one of the call's users.
type officeStep struct {
	kind string
	user int
}

// officeCalls are how the calls of an office go, the frequent ones often.
var officeCalls = func() (all [][]officeStep) {
	answered := []officeStep{{"InComing", 0}, {"InArrived", 0}, {"InUserAllocated", 0}, {"InUserConnected", 0}, {"InDisconnected", 0}}
	missed := []officeStep{{"InComing", 0}, {"InArrived", 0}, {"InUserAllocated", 0}, {"InDisconnected", 0}}
	group := []officeStep{
		{"InUserAllocated", 0},
		{"InUserAllocated", 1},
		{"InUserAllocated", 2},
		{"InUserConnected", 1},
		{"InUserCancelled", 0},
		{"InUserCancelled", 2},
		{"InDisconnected", 1},
		{"InRecordingConverted", 1},
	}
	transferred := []officeStep{
		{"InComing", 0},
		{"InUserAllocated", 0},
		{"InUserConnected", 0},
		{"InHoldStart", 0},
		{"InHoldEnd", 0},
		{"InTransferStarted", 0},
		{"InUserAllocated", 1},
		{"InUserConnected", 1},
		{"InTransferConnected", 0},
		{"InDisconnected", 1},
	}
	diverted := []officeStep{{"InComing", 0}, {"InUserAllocated", 0}, {"InUserOverflow", 0}, {"InUserAllocated", 1}, {"InUserConnected", 1}, {"InDisconnected", 1}}
	placed := []officeStep{{"OutGoing", 0}, {"OutConnected", 0}, {"OutDisconnected", 0}}
	return [][]officeStep{answered, answered, answered, missed, missed, group, group, transferred, diverted, placed, placed, placed}
}()

const officeOrganization = "29f6e823-b484-e611-80c9-00505689257e"

// NewOffice makes an office of so many users.
func NewOffice(seed uint64, users, partitions int) *Office {
	o := &Office{random: rand.New(rand.NewPCG(seed, 0)), partitions: partitions}
	for range users {
		o.users = append(o.users, o.guid())
	}
	return o
}

func (o *Office) guid() string {
	a, b := o.random.Uint64(), o.random.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", uint32(a), uint16(a>>32), a>>52, b>>52, b&(1<<48-1))
}

// Call begins a call; the office takes no further part in it.
func (o *Office) Call() *OfficeCall {
	c := &OfficeCall{office: o, id: o.guid(), steps: officeCalls[o.random.IntN(len(officeCalls))]}
	for i := range c.users {
		c.users[i] = o.random.IntN(len(o.users))
	}
	c.caller, c.called = fmt.Sprintf("+4477009%05d", o.random.IntN(100_000)), fmt.Sprintf("+441632960%03d", c.users[0]%1000)
	return c
}

// Next is the next message of the office, in which so many calls are under way.
func (o *Office) Next(at time.Time, calls int) bus.Message {
	if len(o.calls) < calls {
		o.calls = append(o.calls, o.Call())
	}
	i := o.random.IntN(len(o.calls))
	m := o.calls[i].Next(at)
	if o.calls[i].Left() == 0 {
		o.calls[i] = o.calls[len(o.calls)-1]
		o.calls = o.calls[:len(o.calls)-1]
	}
	return m
}

// Left is how many messages of the call are still to come.
func (c *OfficeCall) Left() int { return len(c.steps) }

// Next is the next message of the call; it happens, and is stored, at this time.
func (c *OfficeCall) Next(at time.Time) bus.Message {
	step := c.steps[0]
	c.steps = c.steps[1:]
	user, number := c.office.users[c.users[step.user]], c.users[step.user]%1000 // three digits
	kind := "UserCall" + step.kind
	body := fmt.Appendf(nil, officeBody, c.office.guid(), kind, user, c.id, c.id[:8], number, c.caller, c.called, c.office.guid(),
		at.UTC().Format("2006-01-02T15:04:05.0000000Z"), officeOrganization)
	return c.office.message(body, at)
}

// officeBody is a MessageReceived argument as the hub writes it.
const officeBody = `{"subscription":{"id":"%[1]s","allRootEntities":false,"rootEntityId":"%[11]s","rootEntityType":"Organization",` +
	`"organizationId":"%[11]s","eventType":"%[2]s","entityType":"User","entityId":"%[3]s","allEntities":false},` +
	`"data":{"rootEntityType":"Organization","rootEntityId":"%[11]s","eventType":"%[2]s","entityType":"User","entityId":"%[3]s",` +
	`"callId":"%[4]s","legId":"%[5]s-1","userId":"%[3]s","organizationId":"%[11]s","userName":"user%[6]d@agency.example",` +
	`"userNumber":"+441632960%03[6]d","detailedReason":null,"callerNumber":"%[7]s","targetNumber":"%[8]s","publicity":0,` +
	`"id":"%[9]s","timestamp":"%[10]s","messageTTLSeconds":-1}}`

// message is what ingest makes of a message of the hub.
func (o *Office) message(body []byte, at time.Time) bus.Message {
	r, err := event.ParseRaw(body)
	if err != nil {
		panic(err) // it is an object
	}
	key := topology.KeyToken(r.Key())
	partition := topology.Partition(key, o.partitions)
	trace := "00-" + r.ID[:8] + r.ID[9:13] + "4000800000000000" + r.ID[24:28] + "-" + r.ID[24:36] + "0001-01"
	return bus.Message{
		Subject: topology.Raw(partition, r.OrganizationID, r.EventType, key),
		Header:  event.EncodeRaw(r, "rte.enreachvoice.example", key, at, trace),
		Data:    body, Stored: at,
	}
}
