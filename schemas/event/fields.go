package event

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// field is one that is read of a subscription or of data.
type field int

const (
	id field = iota
	eventType
	entityType
	entityID
	rootEntityType
	rootEntityID
	organizationID
	timestamp
	messageTTLSeconds
	callID
	userID
	userName
	userNumber
	callerNumber
	targetNumber
	techQueueID
	reason
	fieldCount
)

// fieldOf finds a field by its name in lower case, which also covers UserName
// and Username.
var fieldOf = map[string]field{
	"id": id, "eventtype": eventType, "entitytype": entityType, "entityid": entityID,
	"rootentitytype": rootEntityType, "rootentityid": rootEntityID, "organizationid": organizationID,
	"timestamp": timestamp, "messagettlseconds": messageTTLSeconds,
	"callid": callID, "userid": userID, "username": userName, "usernumber": userNumber,
	"callernumber": callerNumber, "targetnumber": targetNumber, "techqueueid": techQueueID, "reason": reason,
}

// fields are what one of the two parts of a message says.
type fields [fieldCount]text

// fields reads a part, and steps over it. One that is no object leaves all
// empty; of a field that is there twice the last scalar counts.
func (c *cursor) fields() (all fields) {
	if !c.open() {
		return all
	}
	for name := c.next(); name != nil; name = c.next() {
		f, known := fieldOf[string(name)]
		if value := c.value(); known {
			all[f].read(value)
		}
	}
	return all
}

func (f *fields) organization() string {
	if strings.EqualFold(f[rootEntityType].trimmed(), "Organization") {
		return f[rootEntityID].id()
	}
	return ""
}

// read takes a valid JSON value.
func (t *text) read(value []byte) {
	switch value[0] {
	case '{', '[', 'n':
	case '"':
		*t = text{value: unquote(value), set: true}
	default:
		*t = text{value: string(value), set: true}
	}
}

// unquote decodes a valid JSON string.
func unquote(quoted []byte) string {
	plain := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(plain, '\\') < 0 && utf8.Valid(plain) {
		return string(plain)
	}
	return unescaped(quoted)
}

// unescaped is apart so that only what needs it pays for a string on the heap.
func unescaped(quoted []byte) (s string) {
	_ = json.Unmarshal(quoted, &s) // a valid one
	return s
}
