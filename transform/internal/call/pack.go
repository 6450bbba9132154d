package call

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"time"

	"ringstream/schemas/event"
)

// ErrPacked means that bytes are not what a Packer has written.
var ErrPacked = errors.New("no packed calls")

// Packer writes fields behind one another, or reads them again: one list of
// fields serves both. What was read is known to be whole by [Packer.Err].
type Packer struct {
	bytes   []byte // written, or still to be read
	reading bool
	err     error
	second  int64             // of the time before
	texts   map[string]string // read before: many are the same
}

// NewPacker writes.
func NewPacker() *Packer { return &Packer{} }

// NewUnpacker reads what a Packer wrote.
func NewUnpacker(b []byte) *Packer {
	return &Packer{bytes: b, reading: true, texts: map[string]string{}}
}

// Bytes is what was written, or is still to be read.
func (p *Packer) Bytes() []byte { return p.bytes }

// Err is not nil when something could not be read.
func (p *Packer) Err() error { return p.err }

func (p *Packer) fail() {
	p.bytes, p.err = nil, ErrPacked
}

// next is what is read next, nil if there is no more.
func (p *Packer) next(n int) []byte {
	if n < 0 || n > len(p.bytes) {
		p.fail()
		return nil
	}
	b := p.bytes[:n]
	p.bytes = p.bytes[n:]
	return b
}

func (p *Packer) int64(v *int64) {
	if !p.reading {
		p.bytes = binary.AppendVarint(p.bytes, *v)
		return
	}
	read, n := binary.Varint(p.bytes)
	if n <= 0 {
		p.fail()
		return
	}
	*v, p.bytes = read, p.bytes[n:]
}

func (p *Packer) int(v *int) {
	n := int64(*v)
	p.int64(&n)
	*v = int(n)
}

// Flag takes a byte.
func (p *Packer) Flag(v *bool) {
	n := small(0)
	if *v {
		n = 1
	}
	pack(p, &n)
	*v = n == 1
}

type small uint8

func pack[T ~uint8](p *Packer, v *T) {
	if !p.reading {
		p.bytes = append(p.bytes, byte(*v))
	} else if b := p.next(1); b != nil {
		*v = T(b[0])
	}
}

// guidMark stands where another text has its length.
const guidMark = -1

// Text takes 17 bytes for a GUID.
func (p *Packer) Text(v *string) {
	if p.reading {
		p.readText(v)
		return
	}
	if id, ok := guid(*v); ok {
		p.bytes = binary.AppendVarint(p.bytes, guidMark)
		p.bytes = append(p.bytes, id[:]...)
		return
	}
	p.bytes = binary.AppendVarint(p.bytes, int64(len(*v)))
	p.bytes = append(p.bytes, *v...)
}

func (p *Packer) readText(v *string) {
	var n int64
	p.int64(&n)
	var b []byte
	if n == guidMark {
		b = written(p.next(len(id{})))
	} else {
		b = p.next(int(n))
	}
	known, ok := p.texts[string(b)]
	if !ok {
		known = string(b)
		p.texts[known] = known
	}
	*v = known
}

// Time keeps what [time.Time.Equal] compares.
func (p *Packer) Time(v *time.Time) {
	if p.reading {
		var since, nanosecond int64
		p.int64(&nanosecond)
		if nanosecond == 0 {
			return
		}
		p.int64(&since)
		p.second += since
		*v = time.Unix(p.second, nanosecond-1).UTC()
		return
	}
	if v.IsZero() {
		p.bytes = binary.AppendVarint(p.bytes, 0)
		return
	}
	p.bytes = binary.AppendVarint(p.bytes, int64(v.Nanosecond())+1)
	p.bytes = binary.AppendVarint(p.bytes, v.Unix()-p.second)
	p.second = v.Unix()
}

// Each packs a list.
func Each[T any](p *Packer, all *[]T, one func(*T)) {
	n := len(*all)
	p.int(&n)
	if p.reading && n != 0 {
		if n < 0 || n > len(p.bytes) { // every element takes a byte or more
			p.fail()
			return
		}
		*all = make([]T, n)
	}
	for i := range *all {
		one(&(*all)[i])
	}
}

// Pack packs the whole memory of a call.
func (c *Call) Pack(p *Packer) {
	p.Text(&c.ID)
	p.Text(&c.Org)
	p.int(&c.Seq)
	Each(p, &c.Seen, func(v *id) { v.pack(p) })
	c.In.pack(p)
	c.Out.pack(p)
	p.Flag(&c.Direct)
	p.Flag(&c.Group)
	pack(p, &c.Alloc)
	p.Flag(&c.Gap)
	c.packLife(p)
	p.Time(&c.Floor)
	Each(p, &c.Users, func(v *participant) { v.pack(p) })
	Each(p, &c.Legs, func(v *leg) { v.pack(p) })
	p.Time(&c.Last)
	packCause(p, &c.Cause)
	p.Time(&c.Resting)
}

func (n *numbers) pack(p *Packer) {
	p.Text(&n.Caller)
	p.Text(&n.Called)
}

func (l *life) packLife(p *Packer) {
	pack(p, &l.Phase)
	p.Text(&l.AnsweredBy)
	p.Time(&l.AnsweredAt)
	p.Flag(&l.Hung)
	p.Time(&l.EndAt)
	p.Time(&l.GoneAt)
	p.Time(&l.Settling)
}

func (u *participant) pack(p *Packer) {
	p.Text(&u.ID)
	p.Text(&u.Name)
	p.Flag(&u.Owner)
	p.Flag(&u.MissTold)
	pack(p, &u.State)
	pack(p, &u.Back)
	p.Time(&u.At)
	p.Time(&u.Mid)
	p.Flag(&u.Rung)
	p.Flag(&u.Told)
}

func (l *leg) pack(p *Packer) {
	p.Text(&l.ID)
	p.Text(&l.Name)
	pack(p, &l.State)
}

func packCause(p *Packer, c *event.Cause) {
	p.Text(&c.EventID)
	p.Text(&c.EventType)
	has := c.Reason != nil
	p.Flag(&has)
	if !has {
		return
	}
	if p.reading {
		c.Reason = new(string)
	}
	p.Text(c.Reason)
}

// id is the id of a raw event: a GUID, or what is left of a hash of another.
type id [16]byte

func idOf(text string) id {
	if v, ok := guid(text); ok {
		return v
	}
	sum := sha256.Sum256([]byte(text))
	return id(sum[:])
}

func (v *id) pack(p *Packer) {
	if !p.reading {
		p.bytes = append(p.bytes, v[:]...)
	} else if b := p.next(len(v)); b != nil {
		*v = id(b)
	}
}

// guid reads one as it is written everywhere here, in lower case.
func guid(text string) (v id, ok bool) {
	if len(text) != 36 {
		return v, false
	}
	var digits [32]byte
	n := 0
	for i := range len(text) {
		switch c := text[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return v, false
			}
		case '0' <= c && c <= '9' || 'a' <= c && c <= 'f':
			digits[n] = c
			n++
		default:
			return v, false
		}
	}
	_, err := hex.Decode(v[:], digits[:])
	return v, err == nil
}

// written is how a GUID is written.
func written(v []byte) []byte {
	if len(v) == 0 {
		return nil
	}
	b := make([]byte, 36)
	hex.Encode(b, v[:4])
	hex.Encode(b[9:], v[4:6])
	hex.Encode(b[14:], v[6:8])
	hex.Encode(b[19:], v[8:10])
	hex.Encode(b[24:], v[10:])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return b
}
