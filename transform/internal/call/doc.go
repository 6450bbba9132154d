// Package call decides what happens to one telephone call: raw RTE events in,
// call events out.
//
// It owns the call model: who rings, who talks, who is to be told what, and
// when a call is over. [Call] is the whole memory of one CallId and its own
// snapshot ([Call.Pack]); [Call.Apply] takes one raw event, [Call.Tick] the passing of time.
// The machine of a participant is a table; STATES.md is its picture.
//
// It refuses to know the time, the bus or other calls: nothing here reads a
// clock, draws a random number, logs or does I/O, so that the same events
// stored at the same times always give the same outputs.
//
// The caller owes it
//
//   - every raw event that [Concerns] it, of this CallId, with an id, in the
//     order in which the stream holds them, and the time each was stored;
//   - a Tick at or after [Call.Due], before the next event (an Apply that
//     comes later fires what is due first, at its own stored time);
//   - to forget it once [Call.Forgotten] says so, and to store what it packs
//     under a version of its own;
//   - [Call.MarkGap] when somebody who takes part in the call, or everybody,
//     was not listened to in its life, and [Call.FillGap] if it turns out that
//     there is no such gap.
//
// # Decisions
//
// Where the call model is silent:
//
// Order. Each participant remembers the Timestamp of what brought it to its
// state. An event that happened before that was overtaken: it is read from a
// second table, which leads where the right order would have led. A hold or a
// transfer begins nothing: the end of a talk is compared with the answer. An
// equal Timestamp counts as in time, but for an answer and the same user's end.
// What cannot be taken back, because it was told at once, stays as it was
// told: the "answered by" of an ended already sent, an incoming shown to
// somebody whose withdrawal was overtaken.
//
// Facts. Numbers, names, owners and the evidence of a group are learned from
// every event of an open call, also from one whose step does not fit; of a
// name the model does not know, only the queue counts. The first caller with
// a digit and the first called number stay, apart for the two directions:
// within a transfer RTE may name the colleague. Of a SIP address only the
// user part has digits. QueueCallInComing makes its user an owner, but the
// call not direct.
//
// The same number. Two numbers are the same if their digits, without "(0)"
// and leading zeros, are equal, or if one of at least seven digits is the
// other without up to three more in front: a country code. Extensions are
// compared whole. A number without digits proves nothing.
//
// Ringing again. A participant who was told ended, and whose phone rings
// again in the same life (Tom sends the customer back to Jane), is shown a new
// incoming, and will be told a new end. Without a new incoming nothing follows
// an end but a recording and a callback.
//
// Diverting. The transfer of somebody who has not talked is a state of its
// own here, and like overflowing in every way: it may ring, be answered, be
// withdrawn, be lost. It is told as transferring like the other.
//
// The caller has gone. Whoever is first heard of after that is taken to have
// left with the others; a ring from before is shown, since its miss will be
// told, but does not keep the call waiting. Then only a ring or an answer
// brings somebody back: the overflow that is logged with a hang-up does not.
// An answer that happened before stands, since the answerer's own
// Disconnected is still to come.
//
// Settling. The settle time runs from when nobody is active and the call may
// be over: for a call not answered, once a Disconnected was seen in this life;
// for an answered one, always. So the screens of an answered call are cleared
// too when its last ringing phone is withdrawn after its last talker went. It
// is not started anew by another Disconnected. A close happens at the latest
// Disconnected or TransferConnected, by Timestamp, also when it is not by
// settle.
//
// Answers. Who answered last is so by Timestamp. An answer that another one
// overtook is announced in its own name and becomes nobody's last. A late
// answer of somebody who has hung up, in a call that had not been answered,
// closes at once; somebody already told the end is told no answer any more.
//
// Limits. Every event with a known name, but for a duplicate, is a sign of
// life, whether or not its step fits. A close by a limit happens at the stored
// time, and what has an earlier Timestamp belongs to the closed life. What is
// due at the instant an event was stored fires before it.
//
// Lives. In a new life events that happened before the last close change
// nothing either. An owner who rings in a new life is told of its miss also if
// told of a miss before: the screen shows the call. A gap is remembered from
// life to life, the answer of a life until the next one begins. A callback
// after the close changes nothing; a recording is told whenever it comes.
//
// Outbound. The two sides of an internal call live and close apart: the end of
// one is not the end of the other, and neither keeps the other open. A side
// that was never heard to be answered ends by the ring limit, one whose callee
// has answered by the talk limit, both as ended: an outbound call cannot be
// missed. After its end nothing reopens it.
//
// Nobody. A step of a user that names none moves nobody, and a queue's only
// proves the group; but a Disconnected says what it says of the caller.
//
// Verdicts. A step that fits is a change, also where it leaves the state as it
// was. What follows the end of an outbound leg is after-close.
package call
