package page

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"ringstream/transform/internal/replay/explain"
)

// pretty lays out the body of a message for people, with its members in their
// order, and masks what may be a telephone number. What is no JSON is shown as it is,
// masked too.
func pretty(body []byte, numbers explain.Masking) string {
	p := printing{in: json.NewDecoder(bytes.NewReader(body)), numbers: numbers}
	p.in.UseNumber()
	if err := p.value("", ""); err != nil || !p.ended() {
		return numbers.Text(strings.ToValidUTF8(string(body), "\uFFFD"))
	}
	return p.out.String()
}

type printing struct {
	in      *json.Decoder
	out     strings.Builder
	numbers explain.Masking
}

func (p *printing) ended() bool {
	_, err := p.in.Token()
	return errors.Is(err, io.EOF)
}

// value prints what comes next, which is the member of a name.
func (p *printing) value(name, indent string) error {
	t, err := p.in.Token()
	if err != nil {
		return err
	}
	switch t := t.(type) {
	case json.Delim:
		return p.group(t, name, indent)
	case string:
		return p.scalar(p.text(name, t))
	case json.Number:
		if masked := p.text(name, t.String()); masked != t.String() {
			return p.scalar(masked)
		}
		return p.scalar(t)
	default:
		return p.scalar(t)
	}
}

func (p *printing) group(open json.Delim, name, indent string) error {
	p.out.WriteString(open.String())
	some := false
	for p.in.More() {
		if some {
			p.out.WriteByte(',')
		}
		some = true
		p.out.WriteString("\n  " + indent)
		if open == '{' {
			t, err := p.in.Token()
			if err != nil {
				return err
			}
			name = fmt.Sprint(t)
			if err := p.scalar(p.numbers.Text(name)); err != nil {
				return err
			}
			p.out.WriteString(": ")
		}
		if err := p.value(name, indent+"  "); err != nil {
			return err
		}
	}
	end, err := p.in.Token()
	if err != nil {
		return err
	}
	if some {
		p.out.WriteString("\n" + indent)
	}
	fmt.Fprint(&p.out, end)
	return nil
}

func (p *printing) scalar(v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	p.out.Write(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
	return nil
}

// text masks a string: all of it where its name says that it is a number, else
// what looks like one. A moment does not.
func (p *printing) text(name, s string) string {
	switch {
	case !bool(p.numbers) || s == "":
		return s
	case numberField(name):
		return p.numbers.Number(s)
	case moment(s):
		return s
	default:
		return p.numbers.Text(s)
	}
}

func moment(s string) bool {
	_, err := time.Parse(time.RFC3339Nano, s)
	return err == nil
}

// numberField reports whether what has this name is a telephone number, at RTE,
// in CALLS or at Reapit.
func numberField(name string) bool {
	name = strings.ToLower(name)
	switch name {
	case "caller", "called", "callerid", "destinationid", "from", "to", "phone", "msisdn":
		return true
	default:
		return strings.HasSuffix(name, "number") || strings.HasSuffix(name, "numbers")
	}
}
