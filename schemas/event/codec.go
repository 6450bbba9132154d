package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"strings"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
)

// Header names of the NATS protocol binding.
const (
	prefix              = "ce-"
	contentTypeHeader   = "Content-Type"
	structuredMediaType = "application/cloudevents"
	jsonMediaType       = "application/json"
	headerSize          = 16 // more than a raw event has, with its Nats-Msg-Id
)

// ErrNotCloudEvent means that a message is no CloudEvent in either mode.
var ErrNotCloudEvent = errors.New("not a CloudEvent")

// Encode writes an event in the binary mode of the NATS protocol binding:
// attributes in ce- headers, percent-encoded as the binding asks, and the data
// as the body, byte for byte. The header map is a nats.Header by another name.
// It fails when the event is not valid.
func Encode(e cloudevents.Event) (header map[string][]string, body []byte, err error) {
	if err := e.Validate(); err != nil {
		return nil, nil, fmt.Errorf("encode event %s: %w", e.ID(), err)
	}
	h := newHeader()
	h.set(prefix+"specversion", e.SpecVersion())
	h.set(prefix+"type", e.Type())
	h.set(prefix+"source", e.Source())
	h.set(prefix+"id", e.ID())
	h.set(prefix+"subject", e.Subject())
	h.set(prefix+"dataschema", e.DataSchema())
	if t := e.Time(); !t.IsZero() {
		h.set(prefix+"time", types.FormatTime(t))
	}
	h.setContentType(e.DataContentType())
	for name, value := range e.Extensions() {
		s, err := types.Format(value)
		if err != nil {
			return nil, nil, fmt.Errorf("encode extension %s of event %s: %w", name, e.ID(), err)
		}
		h.set(prefix+name, s)
	}
	return h.all, e.Data(), nil
}

// headerBuilder writes attributes; all values share one piece of memory.
type headerBuilder struct {
	all    map[string][]string
	values []string
}

func newHeader() *headerBuilder {
	return &headerBuilder{make(map[string][]string, headerSize), make([]string, 0, headerSize)}
}

// set writes an attribute that is not empty, given the name of its header.
func (h *headerBuilder) set(name, value string) {
	if value != "" {
		h.put(name, escape(value))
	}
}

func (h *headerBuilder) setContentType(media string) {
	if media != "" {
		h.set(prefix+"datacontenttype", media)
		h.put(contentTypeHeader, media)
	}
}

func (h *headerBuilder) put(name, value string) {
	h.values = append(h.values, value)
	h.all[name] = h.values[len(h.values)-1 : len(h.values) : len(h.values)]
}

// Decode reads an event in binary or structured mode. The mode is told by
// Content-Type, in any casing; a message with neither that nor a
// ce-specversion header is taken for structured when its body is a JSON
// CloudEvent, because the Go SDK writes such. It fails with [ErrNotCloudEvent]
// on anything else.
func Decode(header map[string][]string, body []byte) (cloudevents.Event, error) {
	contentType := lookup(header, contentTypeHeader)
	media, _, _ := mime.ParseMediaType(contentType)
	version := lookup(header, prefix+"specversion")
	if strings.HasPrefix(media, structuredMediaType) || version == "" {
		return decodeStructured(body)
	}
	return decodeBinary(version, contentType, header, body)
}

func decodeStructured(body []byte) (cloudevents.Event, error) {
	var e cloudevents.Event
	if err := json.Unmarshal(body, &e); err != nil {
		return e, fmt.Errorf("%w: %w", ErrNotCloudEvent, err)
	}
	if err := e.Validate(); err != nil {
		return e, fmt.Errorf("%w: %w", ErrNotCloudEvent, err)
	}
	return e, nil
}

func decodeBinary(version, contentType string, header map[string][]string, body []byte) (cloudevents.Event, error) {
	e := cloudevents.New(unescape(version))
	if e.Context == nil { // setting an attribute would panic
		return e, fmt.Errorf("%w: specversion %q", ErrNotCloudEvent, version)
	}
	if contentType != "" {
		e.SetDataContentType(contentType)
	}
	for key, values := range header {
		if len(key) <= len(prefix) || !strings.EqualFold(key[:len(prefix)], prefix) || len(values) == 0 {
			continue
		}
		if err := setAttribute(&e, strings.ToLower(key[len(prefix):]), unescape(values[0])); err != nil {
			return e, fmt.Errorf("%w: header %s: %w", ErrNotCloudEvent, key, err)
		}
	}
	e.DataEncoded = body
	if err := e.Validate(); err != nil {
		return e, fmt.Errorf("%w: %w", ErrNotCloudEvent, err)
	}
	return e, nil
}

func setAttribute(e *cloudevents.Event, name, value string) error {
	switch name {
	case "specversion":
	case "type":
		e.SetType(value)
	case "source":
		e.SetSource(value)
	case "id":
		e.SetID(value)
	case "subject":
		e.SetSubject(value)
	case "dataschema":
		e.SetDataSchema(value)
	case "datacontenttype":
		e.SetDataContentType(value)
	case "time":
		t, err := types.ParseTime(value)
		if err != nil {
			return err
		}
		e.SetTime(t)
	default:
		e.SetExtension(name, value)
	}
	return nil
}

// Attribute reads one attribute of an event in binary mode from its header; of
// one that it has not, it is empty. Nothing is checked: it costs little where
// the body is not there.
func Attribute(header map[string][]string, name string) string {
	return unescape(lookup(header, prefix+name))
}

// lookup finds a header in any casing; NATS itself compares names exactly.
func lookup(header map[string][]string, name string) string {
	if v := header[name]; len(v) > 0 {
		return v[0]
	}
	for key, v := range header {
		if len(v) > 0 && strings.EqualFold(key, name) {
			return v[0]
		}
	}
	return ""
}

const hexDigits = "0123456789ABCDEF"

// plain reports whether a byte of a header value stands for itself: printable
// ASCII but for space, double quote and percent (NATS binding, 3.1.3.2).
func plain(c byte) bool { return c > ' ' && c < 0x7f && c != '"' && c != '%' }

func isPlain(s string) bool {
	for i := range len(s) {
		if !plain(s[i]) {
			return false
		}
	}
	return true
}

func escape(s string) string {
	n := 0
	for i := range len(s) {
		if !plain(s[i]) {
			n++
		}
	}
	if n == 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 2*n)
	for i := range len(s) {
		if c := s[i]; plain(c) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hexDigits[c>>4], hexDigits[c&15]})
		}
	}
	return b.String()
}

// unescape decodes once; what is no escape stays as it is.
func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			hi, lo := unhex(s[i+1]), unhex(s[i+2])
			if hi >= 0 && lo >= 0 {
				b.WriteByte(byte(hi<<4 | lo)) //nolint:gosec // both are 0 to 15
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func unhex(c byte) int {
	return strings.IndexByte(hexDigits, upper(c))
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'f' {
		return c - 'a' + 'A'
	}
	return c
}
