package event

import (
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/types"
)

// Arrival is what the message of a raw event says besides the event itself.
type Arrival struct {
	Recorded time.Time // when ingest heard it; zero when the message does not say
	Trace    string    // traceparent
}

// DecodeRaw comes to what [Decode] and then [ParseRaw] make of a message. What
// looks as [EncodeRaw] writes it is read without the event in between, which
// would cost more than all else that a fold does with a message.
func DecodeRaw(header map[string][]string, body []byte) (Raw, Arrival, error) {
	if !asWritten(header) {
		return decodeForeign(header, body)
	}
	r, err := ParseRaw(body)
	return r, arrival(Attribute(header, ExtRecordedTime), Attribute(header, ExtTraceParent)), err
}

func decodeForeign(header map[string][]string, body []byte) (Raw, Arrival, error) {
	e, err := Decode(header, body)
	if err != nil {
		return Raw{}, Arrival{}, err
	}
	r, err := ParseRaw(e.Data())
	recorded, _ := e.Extensions()[ExtRecordedTime].(string)
	trace, _ := e.Extensions()[ExtTraceParent].(string)
	return r, arrival(recorded, trace), err
}

func arrival(recorded, trace string) Arrival {
	a := Arrival{Trace: trace}
	a.Recorded, _ = ParseTime(recorded)
	return a
}

// asWritten reports whether a header has what a raw event must have, each
// attribute under the name and with a value as EncodeRaw writes it. Then Decode
// would take it, too. If not, it may still.
func asWritten(header map[string][]string) bool {
	required := 0
	for name, values := range header {
		if len(values) == 0 || !attributeAsWritten(name, values[0]) {
			return false
		}
		switch name {
		case prefix + "specversion", prefix + "type", prefix + "source", prefix + "id":
			required++
		}
	}
	return required == 4
}

func attributeAsWritten(name, value string) bool {
	switch name {
	case prefix + "specversion":
		return value == "1.0"
	case prefix + "type", prefix + "id", prefix + "subject",
		prefix + ExtPartitionKey, prefix + ExtRecordedTime, prefix + ExtRecordedBy, prefix + ExtExpiryTime, prefix + ExtTraceParent:
		return value != "" && isPlain(value)
	case prefix + "source":
		return strings.HasPrefix(value, "//") && value != "//" && strings.Trim(value, uriPlain) == "" // "//" is an empty one
	case prefix + "time":
		_, err := types.ParseTime(value)
		return err == nil
	case prefix + "dataschema":
		return value == SchemaBase+rawSchema
	case prefix + "datacontenttype", contentTypeHeader:
		return value == jsonMediaType
	}
	return !strings.EqualFold(name, contentTypeHeader) && (len(name) < len(prefix) || !strings.EqualFold(name[:len(prefix)], prefix))
}

// uriPlain are characters of which every URI reference without a scheme is valid.
const uriPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._/"
