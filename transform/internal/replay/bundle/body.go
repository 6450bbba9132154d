package bundle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"ringstream/schemas/event"
)

// classes say what stands in the members of JSON bodies, by name in lower case.
// What has no class is kept where it says nothing of anybody: an id, a time, a
// switch, a small number. Any other text is replaced.
var classes = map[string]func(*Pseudonyms, string) string{
	"caller": (*Pseudonyms).number, "called": (*Pseudonyms).number,
	"callerid": (*Pseudonyms).number, "destinationid": (*Pseudonyms).number,
	"username": (*Pseudonyms).user, "email": (*Pseudonyms).user,
	"negotiatorid": (*Pseudonyms).negotiator, "answeredbyid": (*Pseudonyms).negotiator, "customer": (*Pseudonyms).customer,
	"eventtype": (*Pseudonyms).kind, "eventname": (*Pseudonyms).kind,
	"entitytype": (*Pseudonyms).word, "rootentitytype": (*Pseudonyms).word, "reason": (*Pseudonyms).word, "detailedreason": (*Pseudonyms).word,
	"realtimetype": (*Pseudonyms).word, "status": (*Pseudonyms).word, "type": (*Pseudonyms).word, "subtype": (*Pseudonyms).word,
	"products": (*Pseudonyms).word, "direction": (*Pseudonyms).word, "coverage": (*Pseudonyms).word, "outcome": (*Pseudonyms).word,
}

func classOf(name string) func(*Pseudonyms, string) string {
	name = strings.ToLower(name)
	switch class := classes[name]; {
	case class != nil:
		return class
	case strings.HasSuffix(name, "number"), strings.HasSuffix(name, "numbers"):
		return (*Pseudonyms).number
	case name == "id", strings.HasSuffix(name, "id"), strings.HasSuffix(name, "ids"):
		return (*Pseudonyms).ID
	}
	return nil
}

// json rewrites a JSON value, member by member, in its order.
func (p *Pseudonyms) json(body []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var out bytes.Buffer
	if err := p.value(d, &out, ""); err != nil {
		return nil, fmt.Errorf("give aliases: %w", err)
	}
	return out.Bytes(), nil
}

func (p *Pseudonyms) value(d *json.Decoder, out *bytes.Buffer, name string) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	switch t := t.(type) {
	case json.Delim:
		return p.nest(d, out, name, t)
	case string:
		quote(out, p.scalar(name, t))
	case json.Number:
		p.literal(out, name, t.String(), harmlessNumber.MatchString(t.String()))
	case bool:
		p.literal(out, name, fmt.Sprint(t), true)
	default:
		out.WriteString("null")
	}
	return nil
}

// nest writes an object or an array, whose items are of the array's name.
func (p *Pseudonyms) nest(d *json.Decoder, out *bytes.Buffer, name string, begin json.Delim) error {
	out.WriteString(begin.String())
	for n := 0; d.More(); n++ {
		if n > 0 {
			out.WriteByte(',')
		}
		if begin == '{' {
			key, err := d.Token()
			if err != nil {
				return err
			}
			name = memberName(fmt.Sprint(key))
			quote(out, name)
			out.WriteByte(':')
		}
		if err := p.value(d, out, name); err != nil {
			return err
		}
	}
	end, err := d.Token()
	if err == nil {
		fmt.Fprint(out, end)
	}
	return err
}

var member = regexp.MustCompile(`^[A-Za-z_][A-Za-z_-]{0,63}\d{0,2}$`)

// memberName keeps the names of members, which say nothing of anybody unless
// they are none.
func memberName(name string) string {
	if member.MatchString(name) {
		return name
	}
	return "member"
}

func quote(out *bytes.Buffer, s string) {
	b, _ := json.Marshal(s) // a string always can be
	out.Write(b)
}

// harmlessNumber is a JSON number that is none of a telephone.
var harmlessNumber = regexp.MustCompile(`^-?\d{1,5}(\.\d{1,5})?$`)

// literal writes a number or a switch, which RTE may have in place of a text.
func (p *Pseudonyms) literal(out *bytes.Buffer, name, as string, harmless bool) {
	class := classOf(name)
	switch {
	case class == nil && harmless:
		out.WriteString(as)
	case class == nil:
		out.WriteByte('0')
	default:
		if alias := class(p, as); alias != as {
			quote(out, alias)
		} else {
			out.WriteString(as)
		}
	}
}

// scalar is the alias of a text by the name of its member.
func (p *Pseudonyms) scalar(name, s string) string {
	if class := classOf(name); class != nil {
		return class(p, s)
	}
	trimmed := strings.ToLower(strings.TrimSpace(s))
	if _, isTime := event.ParseTime(strings.TrimSpace(s)); isTime || guid.MatchString(trimmed) || small.MatchString(trimmed) {
		return s
	}
	if strings.Contains(s, "@") && !strings.ContainsAny(s, " ,;<") {
		return p.user(s)
	}
	return p.text(s)
}
