// Package topology is the layout of the bus as data: which streams there are,
// which subjects they take and which none takes, who writes them, how long they
// keep what, and how a key finds its partition.
//
// It owns names and numbers only. Package bus makes a server honour them.
package topology

import (
	"crypto/sha256"
	"encoding/hex"
	"hash/fnv"
	"strconv"
	"strings"
	"time"
)

// Names of the streams and of the key-value buckets.
const (
	RTE         = "RTE"
	Calls       = "CALLS"
	Deliveries  = "DELIVERIES"
	DeadLetters = "DEADLETTERS"
	Leases      = "ringstream-leases"
	Negotiators = "ringstream-negotiators"
	callLog     = "CALL_LOG_"
)

// Limits of the contract.
const (
	DefaultPartitions = 4
	MaxPartitions     = 128

	// ShortestDuplicates is the least window in which RTE knows a message again:
	// two replicas, a spool, a restart, all repeats come within.
	ShortestDuplicates = 10 * time.Minute

	rawAge    = 7 * 24 * time.Hour
	derived   = 30 * 24 * time.Hour
	shortest  = 2 * time.Minute // NATS' own default
	deadAge   = 30 * 24 * time.Hour
	leaseMark = 10 * time.Second
)

// Layout is what one installation chooses.
type Layout struct {
	Partitions int // of RTE, 1 to MaxPartitions
	Replicas   int // of every stream: 1, 3 or 5
	// Duplicates is for how long RTE knows a message again; what is less than
	// ShortestDuplicates counts as that.
	Duplicates time.Duration
}

// Stream is one JetStream stream of the contract.
type Stream struct {
	Name        string
	Description string
	Writer      string // the service that may publish; empty: the server alone, from Sources
	Subjects    []string
	Sources     []Source
	MaxAge      time.Duration
	Duplicates  time.Duration // window of Nats-Msg-Id
	Replicas    int
	DenyDelete  bool
	DenyPurge   bool
	Rollup      bool   // a new snapshot replaces the one before
	Batches     bool   // its writer may append several messages at once; it does with a stream that was made without, slower
	Republish   string // subjects that plain subscribers hear too, as they are stored; at most once
	Metadata    map[string]string
}

// Source feeds one stream from another and renames the subjects on the way.
type Source struct {
	Stream string
	From   string
	To     string
}

// Bucket is one key-value bucket of the contract.
type Bucket struct {
	Name        string
	Description string
	Writer      string        // the services that may publish
	MarkerTTL   time.Duration // how long a watcher can still see that a key expired; 0: none does
	Replicas    int
}

// MetaPartitions is the metadata key under which RTE states its partitions.
const MetaPartitions = "ringstream.partitions"

// Streams lists the streams of a layout in the order in which they must be created.
func Streams(l Layout) []Stream {
	all := make([]Stream, 0, l.Partitions+4)
	all = append(all, Stream{
		Name: RTE, Writer: "ingest", Description: "Every RTE message as it arrived, and what each replica of ingest tells about its listening.",
		Subjects: []string{"rte.*.*.*.*", "feed.*.*"}, MaxAge: rawAge, Duplicates: max(l.Duplicates, ShortestDuplicates), DenyDelete: true, DenyPurge: true,
	})
	merged := Stream{
		Name: Calls, Description: "Call events of every partition, merged by the server.", MaxAge: derived, Duplicates: shortest,
		Republish: CallAll,
	}
	for p := range l.Partitions {
		all = append(all, Stream{
			Name: CallLog(p), Writer: "transform", Description: "Call events and snapshots of partition " + strconv.Itoa(p) + ", one writer at a time.",
			Subjects: append([]string{CallLogPrefix(p) + ".ev.*.*.*"}, snapshots(CallLogPrefix(p))...), MaxAge: derived, Duplicates: shortest, Rollup: true,
		})
		merged.Sources = append(merged.Sources, Source{
			Stream: CallLog(p),
			From:   CallLogPrefix(p) + ".ev.*.*.*",
			To:     "calls.{{wildcard(1)}}.{{wildcard(2)}}.{{wildcard(3)}}",
		})
	}
	all = append(all, merged, Stream{
		Name: Deliveries, Writer: "deliver", Description: "How each delivery to each negotiator ended.",
		Subjects: append([]string{"deliveries.*.*.*.*"}, snapshots(DeliveryLogPrefix)...), MaxAge: derived, Duplicates: shortest, Rollup: true, Batches: true,
	}, Stream{
		Name: DeadLetters, Writer: "ingest, deliver", Description: "What cannot go on by itself, kept for people.",
		Subjects: []string{"deadletters.*.*"}, MaxAge: deadAge, Duplicates: ShortestDuplicates,
	})
	for i := range all {
		all[i].Replicas = l.Replicas
		all[i].Metadata = map[string]string{MetaPartitions: strconv.Itoa(l.Partitions)}
	}
	return all
}

// snapshots are the subjects of a log's snapshots: the head, and the parts of a
// large one by slot and number.
func snapshots(prefix string) []string { return []string{prefix + ".snap", prefix + ".snap.*.*"} }

// Buckets lists the key-value buckets of a layout.
func Buckets(l Layout) []Bucket {
	return []Bucket{{
		Name: Leases, Writer: "transform, deliver", Description: "Which replicas live and which partition each one works.", MarkerTTL: leaseMark, Replicas: l.Replicas,
	}, {
		Name: Negotiators, Writer: "deliver", Description: "The negotiators of each customer as last read, for a start while Reapit cannot be read.", Replicas: l.Replicas,
	}}
}

// Plain is a family of subjects that no stream takes: what is published there
// reaches those who listen just then, at most once.
type Plain struct {
	Subject string
	Writer  string // the service that may publish; its replicas listen
}

// Plains lists them.
func Plains() []Plain {
	return []Plain{{Subject: HeardAll, Writer: "ingest"}, {Subject: Redrive, Writer: "deliver"}}
}

// Redrive is the subject on which the deliver that has the lease is asked, by the
// command of the same program, to try dead letters again.
const Redrive = "redrive.deliver"

// BucketStream names the stream that is behind a bucket.
func BucketStream(bucket string) string { return "KV_" + bucket }

// Partition is FNV-1a 32 of the key mod n, as the server's own partition() computes it.
func Partition(key string, n int) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key))
	return int(h.Sum32() % uint32(n)) //nolint:gosec // n is 1 to MaxPartitions
}

// CallLog names the log stream of a partition.
func CallLog(p int) string { return callLog + strconv.Itoa(p) }

// CallLogPrefix is what every subject of a partition's log begins with.
func CallLogPrefix(p int) string { return "calllog." + strconv.Itoa(p) }

// NegotiatorList is the key of a customer's negotiators.
func NegotiatorList(customer string) string { return customer + ".list" }

// NegotiatorMark is the key of when they were read again and were the same.
func NegotiatorMark(customer string) string { return customer + ".read" }

// TokenOwners is the key under which it is kept whose Reapit's tokens are whose
// hash, in hexadecimal, begins like this one: a few keys, however many tokens
// there have been.
func TokenOwners(hash string) string { return "token." + hash[:2] }

// DeliveryLogPrefix is what the subjects of deliver's snapshots begin with.
const DeliveryLogPrefix = "deliverylog"

// Raw is the subject of a raw event: rte.<partition>.<organization>.<EventType>.<key>.
// key must be a [KeyToken].
func Raw(partition int, organizationID, eventType, key string) string {
	return "rte." + strconv.Itoa(partition) + "." + KeyToken(organizationID) + "." + nameToken(eventType, "Unknown") + "." + key
}

// RawOf is the filter that selects the raw events of one partition.
func RawOf(partition int) string { return "rte." + strconv.Itoa(partition) + ".>" }

// Feed is the subject of a coverage event: feed.<instance>.<event>.
func Feed(instance, event string) string { return "feed." + nameToken(instance, none) + "." + event }

// FeedAll selects the coverage events of every replica.
const FeedAll = "feed.*.*"

// Heard is the subject on which a replica of ingest tells the others what it has
// heard: heard.<instance>.
func Heard(instance string) string { return "heard." + nameToken(instance, none) }

// HeardAll selects what every replica tells the others.
const HeardAll = "heard.*"

// CallEvent is the subject of a call event in its partition's log. In CALLS it
// becomes calls.<organization>.<type>.<callId>.
func CallEvent(partition int, organizationID, kind, callID string) string {
	return CallLogPrefix(partition) + ".ev." + KeyToken(organizationID) + "." + kind + "." + KeyToken(callID)
}

// Call is the subject of a call event in CALLS.
func Call(organizationID, kind, callID string) string {
	return "calls." + KeyToken(organizationID) + "." + kind + "." + KeyToken(callID)
}

// CallAll selects every call event of CALLS, and is where plain subscribers hear them.
const CallAll = "calls.>"

// Delivery is the subject of an outcome: deliveries.<customer>.<negotiator>.<outcome>.<callId>.
func Delivery(customer, negotiator, outcome, callID string) string {
	return "deliveries." + nameToken(customer, none) + "." + nameToken(negotiator, none) + "." + outcome + "." + KeyToken(callID)
}

// DeadLetter is the subject of a dead letter: deadletters.<service>.<reason>.
func DeadLetter(service, reason string) string { return "deadletters." + service + "." + reason }

const none = "none"

// KeyToken makes an id fit for a subject: a GUID in lower case stays as it is,
// nothing becomes "none", and anything else, which might be a number or a
// name, is hashed.
func KeyToken(id string) string {
	id = strings.ToLower(strings.TrimSpace(id))
	switch {
	case id == "":
		return none
	case isGUID(id):
		return id
	default:
		return hashed(id)
	}
}

// nameToken keeps short names made of letters, digits, hyphen and underscore,
// and hashes others, and what might be a telephone number.
func nameToken(name, empty string) string {
	switch {
	case name == "":
		return empty
	case len(name) <= 64 && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == "" && !isNumber(name):
		return name
	default:
		return hashed(name)
	}
}

// isNumber tells a name that is digits and the marks between them, as many as a
// telephone number has.
func isNumber(name string) bool {
	return len(name) >= 7 && strings.Trim(name, "0123456789-_") == ""
}

func hashed(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "x" + hex.EncodeToString(sum[:8])
}

func isGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return false
			}
		}
	}
	return true
}
