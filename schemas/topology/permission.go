package topology

import (
	"slices"
	"strings"
)

// Role is who a connection acts as. Each has a user of its own on the server,
// of the same name.
type Role string

// The roles.
const (
	Ingest      Role = "ingest"
	Transform   Role = "transform"
	Deliver     Role = "deliver"     // the commands of the same program, too
	Provisioner Role = "provisioner" // makes what is missing, and is needed for nothing else
	Replay      Role = "replay"
	Subscriber  Role = "subscriber" // whoever wants to know of calls
)

// Roles lists them.
func Roles() []Role { return []Role{Ingest, Transform, Deliver, Provisioner, Replay, Subscriber} }

// Permission is all that a role may do: what is not listed is refused. A
// subject may have wildcards, of whole tokens.
type Permission struct {
	Publish, Subscribe []string
}

// Permissions are those of a role, in one installation. It needs no more, and
// with less something of it does not work.
func Permissions(r Role, l Layout) Permission {
	p := Permission{Subscribe: []string{InboxPrefix(r) + ".>"}}
	switch r {
	case Ingest:
		p.may(writes(r, l), looks(RTE), looks(DeadLetters), []string{HeardAll})
		p.Subscribe = append(p.Subscribe, HeardAll)
	case Transform:
		p.may(writes(r, l), reads(RTE, whole, filtered), gets(RTE), looks(Calls), []string{jsAPI + "STREAM.LEADER.STEPDOWN." + Calls}, leases("transform.>"))
		for n := range l.Partitions {
			p.may(reads(CallLog(n), filtered), gets(CallLog(n)))
		}
	case Deliver:
		// Its command asks it in its own name, and so the answer is for one of its own inboxes.
		p.may(writes(r, l), leases("deliver"), []string{Redrive, InboxPrefix(r) + ".>"}, keys(Negotiators, ">"))
		p.may(reads(Calls, whole), reads(Deliveries, whole, filtered), reads(DeadLetters, filtered), gets(Calls), gets(Deliveries), gets(DeadLetters))
		p.Subscribe = append(p.Subscribe, Redrive)
	case Provisioner:
		p.may([]string{jsAPI + "INFO"}) // asked before a bucket whose keys expire is made
		for _, s := range everything(l) {
			p.may(looks(s), []string{jsAPI + "STREAM.CREATE." + s})
		}
	case Replay:
		for _, s := range Streams(l) {
			p.may(reads(s.Name, whole, filtered), gets(s.Name))
		}
		// Who looks for the cause of trouble does it with the NATS CLI: it lists the streams, and who holds leases.
		p.may([]string{jsAPI + "STREAM.LIST"}, sees(Leases, ">"), watches(Leases, ">"))
	case Subscriber:
		p.may(looks(Calls), consumes(Calls, whole, filtered), []string{jsAPI + "CONSUMER.INFO." + Calls + ".*", "$JS.ACK." + Calls + ".>", "$JS.ACK.*.*." + Calls + ".>"})
		p.Subscribe = append(p.Subscribe, CallAll)
	}
	return p
}

// InboxPrefix is what the inboxes of a role begin with, so that none hears the
// answers that another one gets. A subscriber is a program of others, in any
// language: it has the prefix that every NATS client has.
func InboxPrefix(r Role) string {
	if r == Subscriber {
		return "_INBOX"
	}
	return "_INBOX_" + string(r)
}

const jsAPI = "$JS.API."

func (p *Permission) may(publish ...[]string) {
	p.Publish = append(p.Publish, slices.Concat(publish...)...)
}

// writes are the subjects of the streams that a role writes. What it buries has
// its name.
func writes(r Role, l Layout) (subjects []string) {
	for _, s := range Streams(l) {
		switch {
		case s.Name == DeadLetters && s.writtenBy(r):
			subjects = append(subjects, DeadLetter(string(r), "*"))
		case s.writtenBy(r):
			subjects = append(subjects, s.Subjects...)
		}
	}
	return subjects
}

func (s Stream) writtenBy(r Role) bool {
	return slices.Contains(strings.Split(s.Writer, ", "), string(r))
}

// looks is to see whether a stream is there and how it stands.
func looks(stream string) []string { return []string{jsAPI + "STREAM.INFO." + stream} }

// gets is to read single messages from the leader of a stream.
func gets(stream string) []string { return []string{jsAPI + "STREAM.MSG.GET." + stream} }

// What the subject says on which a consumer is asked for, behind its stream.
const (
	whole    = ".*"   // a name: of all of the stream, or of several filters
	filtered = ".*.>" // a name and the one filter
)

// consumes is to make consumers of a stream and to ask for their messages.
func consumes(stream string, forms ...string) (subjects []string) {
	for _, form := range forms {
		subjects = append(subjects, jsAPI+"CONSUMER.CREATE."+stream+form)
	}
	return append(subjects, jsAPI+"CONSUMER.MSG.NEXT."+stream+".*")
}

// reads is to read a stream by consumers that are deleted when they are done.
func reads(stream string, forms ...string) []string {
	return slices.Concat(looks(stream), consumes(stream, forms...), []string{jsAPI + "CONSUMER.DELETE." + stream + ".*"})
}

// sees is to read some keys of a bucket.
func sees(bucket, pattern string) []string {
	return append(looks(BucketStream(bucket)), jsAPI+"DIRECT.GET."+BucketStream(bucket)+".$KV."+bucket+"."+pattern)
}

// keys is to read and write some keys of a bucket.
func keys(bucket, pattern string) []string {
	return append(sees(bucket, pattern), "$KV."+bucket+"."+pattern)
}

// watches is to follow some keys of a bucket.
func watches(bucket, pattern string) []string {
	stream := BucketStream(bucket)
	return []string{jsAPI + "CONSUMER.CREATE." + stream + ".*.$KV." + bucket + "." + pattern, jsAPI + "CONSUMER.DELETE." + stream + ".*", "$JS.FC." + stream + ".>"}
}

// leases is to take, keep and watch leases.
func leases(pattern string) []string {
	return slices.Concat(keys(Leases, pattern), watches(Leases, pattern))
}

// everything names the streams and those of the buckets.
func everything(l Layout) (names []string) {
	for _, s := range Streams(l) {
		names = append(names, s.Name)
	}
	for _, b := range Buckets(l) {
		names = append(names, BucketStream(b.Name))
	}
	return names
}
