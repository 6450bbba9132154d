package bus

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Headers of a snapshot's head message.
const (
	headerParts  = "X-Parts" // number of part messages; 0: the head has the data
	headerSlot   = "X-Slot"  // which of the two slots has the parts
	headerNext   = "X-Next"  // which slot the next parts go to
	headerSum    = "X-Sum"   // SHA-256 of the data
	headerRollup = "Nats-Rollup"
)

// snapshotIdx is the X-Idx of a snapshot's first message: behind every output
// of its input. The parts and the head count on from there.
const snapshotIdx = 1 << 30

// A snapshot larger than this is split, so that it fits the server's default
// max_payload of 1 MiB with room for headers.
const partSize = 512 << 10

// Snapshot is a state that was stored in the log.
type Snapshot struct {
	In     uint64    // the newest input that it includes
	Seq    uint64    // where in the log its head is
	Stored time.Time // when its head was stored
	Data   []byte
}

// Snapshot reads the newest whole snapshot; call it before the first Append. It reports false when there is
// none, or when its parts are not what its head says; then the state must be
// folded from the first input.
func (l *Log) Snapshot(ctx context.Context) (Snapshot, bool, error) {
	head, err := l.stream.GetLastMsgForSubject(ctx, l.prefix+".snap")
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return Snapshot{}, false, nil
	}
	if err != nil {
		return Snapshot{}, false, fmt.Errorf("read snapshot: %w", err)
	}
	at, err := ownPosition(head.Header, head.Sequence)
	if err != nil {
		return Snapshot{}, false, nil //nolint:nilerr // somebody else wrote it: there is none
	}
	if head.Sequence > l.next {
		// Folding from behind the tail would leave out what lies between.
		l.cancel(fmt.Errorf("%w: a snapshot was written since the log was opened", ErrFenced))
		return Snapshot{}, false, l.Err()
	}
	l.slot, _ = strconv.Atoi(head.Header.Get(headerNext))
	s := Snapshot{In: at.In, Seq: head.Sequence, Stored: head.Time.UTC(), Data: head.Data}
	if parts, _ := strconv.Atoi(head.Header.Get(headerParts)); parts > 0 {
		slot, _ := strconv.Atoi(head.Header.Get(headerSlot))
		if s.Data, err = l.readParts(ctx, slot, parts); err != nil {
			return Snapshot{}, false, err
		}
	}
	return s, head.Header.Get(headerSum) == checksum(s.Data), nil
}

func (l *Log) readParts(ctx context.Context, slot, parts int) ([]byte, error) {
	var data []byte
	for i := range parts {
		m, err := l.stream.GetLastMsgForSubject(ctx, l.partSubject(slot, i))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil, nil // the checksum will tell
		}
		if err != nil {
			return nil, fmt.Errorf("read snapshot part %d: %w", i, err)
		}
		data = append(data, m.Data...)
	}
	return data, nil
}

// SaveSnapshot appends a state that includes the inputs up to in, whose Idx
// does not count. It replaces
// the snapshot before it only when it is stored whole: parts go to the slot
// that the newest head does not name. A pipelined log leaves out what it
// already holds, so that every writer puts the same messages at the same
// places; all must save the same bytes at the same inputs.
func (l *Log) SaveSnapshot(in Position, data []byte) error {
	head := nats.Header{headerSum: {checksum(data)}, headerNext: {strconv.Itoa(l.slot)}}
	at := in
	at.Idx = snapshotIdx
	next := l.slot
	if len(data) > partSize {
		for part := range slices.Chunk(data, partSize) {
			if err := l.saveOnce(l.partSubject(l.slot, at.Idx-snapshotIdx), nats.Header{}, part, at); err != nil {
				return err
			}
			at.Idx++
		}
		next = 1 - l.slot
		head[headerSlot], head[headerNext] = []string{strconv.Itoa(l.slot)}, []string{strconv.Itoa(next)}
		data = nil
	}
	head[headerParts] = []string{strconv.Itoa(at.Idx - snapshotIdx)}
	if !l.serial && l.Holds(at) {
		return nil // of an older snapshot; the newest head has said where the next goes
	}
	l.slot = next
	return l.saveOnce(l.prefix+".snap", head, data, at)
}

// Saved reports whether the log already holds the snapshot behind input in, so
// that making one is of no use.
func (l *Log) Saved(in uint64) bool { return !l.serial && !l.empty && l.tail.In > in }

func (l *Log) saveOnce(subject string, header nats.Header, data []byte, at Position) error {
	if !l.serial && l.Holds(at) {
		return nil
	}
	header[headerRollup] = []string{jetstream.MsgRollupSubject}
	return l.Append(subject, header, data, at)
}

func (l *Log) partSubject(slot, part int) string {
	return l.prefix + ".snap." + strconv.Itoa(slot) + "." + strconv.Itoa(part)
}

func checksum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
