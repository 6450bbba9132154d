// Package schedule is the memory of deliver: what is still to be sent to whom,
// in which order, and what has become misleading to show.
//
// It owns one queue (a lane) per negotiator and call, in the order of the
// call's events; the priority between lanes; the deadlines; the rules of
// superseding; the customers who are parked; the pause after a limit. Every
// delivery, that is every pair of a call event and a negotiator, leaves it by
// exactly one [Record].
//
// It refuses to act: it has no clock, no connection and no log. It is told what
// happened ([Schedule.Offer], [Schedule.Result], [Schedule.Settle]) and answers
// with values: send this, record that.
//
// The caller owes: events in the order of the stream; one Result for every
// [Request] that Next handed out; every Record stored, and where a Plan says so
// of a Request before that is sent; and after a restart a Settle for every outcome
// that was stored after the state was saved, before anything is offered. After a
// crash also Doubt, and Offer.Doubt for what may have been taken in before it.
//
// # What a lane decides
//
// A negotiator who has several users in a call is one: the second incoming of
// one life of the call is superseded, so is an ended while another of the users
// is still in the call, and an answered that tells the same again.
//
// A closing event (missed, or ended for the last user) supersedes whatever of
// incoming and answered is not delivered; so does somebody else's answered with
// an incoming. An attempt that is under way is not broken off: it may succeed,
// and then counts, but it is not repeated.
//
// At the head of its lane, somebody else's answered and any ended is superseded
// if nothing was shown in this life of the call: neither the incoming nor the
// negotiator's own answered was delivered, and no attempt at one of them ended
// so that Reapit may have acted on it (no answer after it was sent, or a 5xx).
// A pop that is perhaps on a screen must be closed; an end too many does less harm.
// So it also counts as shown what nobody is left to tell of: the head of a lane
// at a crash, and a call that rang before the first event that was offered.
// Missed is sent always.
//
// # What goes first
//
// Across lanes incoming goes before answered, ended and missed. Within a class
// customers take turns, and the oldest of a customer's goes first. Of the slots,
// the rate and the day's requests some are kept for the first two classes, and
// of the slots and the rate for what is tried for the first time.
//
// Nobody can take everybody's room. Of the slots a negotiator has at most half,
// and a customer leaves one to others, and two when its requests do not come back.
// One that was given up, by us or by the gateway, takes its slot for as long as
// Reapit may still be at it: one slot is used all the same, but for 504s. Retries are a fifth of
// the first attempts, or one a second; those that succeed do not count.
//
// Negotiators whose heads are the same event may share a request. What is refused
// for its content is then tried one by one.
//
// What an operator has tried again ([Schedule.Redrive]) is a delivery of its own
// with an outcome of its own, under the same event and negotiator. It is taken on
// only if its event is the newest of the call and it is in time, goes out behind
// everything else, and is not dropped because nothing was shown. A missed call is
// in time whenever it is asked for: its deadline counts from then.
//
// A delivery expires a second before its deadline, or an eighth of a short one: what has
// no time left to be answered is not begun.
//
// # What waits for negotiators
//
// An event whose organization's list of negotiators is not there yet is kept
// ([Schedule.Await]), with all that follows of the same organization, and is
// offered in its place when the list is there ([Schedule.Known]): until its
// deadline, so that a missed call survives a day without a list. Then its
// users are recorded as none. What is kept outlives a restart, and holds up
// nothing but what is queued of the same call. What comes in time of a
// call whose ringing did not is told, as of one that rang before the first event.
//
// A call that comes to belong to another customer, or none, is told to nobody of
// the first any more but what is queued: ids of two customers are never mixed.
//
// The life ends with the closing event. An incoming after it begins a new one,
// behind it in the same lane.
package schedule
