package event

import "bytes"

// cursor walks over JSON that is known to be valid. It takes a fraction of the
// time that encoding/json takes to come to the same, and reading messages is
// most of what ingest computes.
type cursor struct {
	b    []byte
	at   int
	name [32]byte
}

// open steps into an object. At anything else it steps over that and reports
// false.
func (c *cursor) open() bool {
	if c.token(); c.at >= len(c.b) || c.b[c.at] != '{' {
		c.value()
		return false
	}
	c.at++
	return true
}

// next returns the name of the next member in lower case, good until the next
// call, and stands before its value then. At the end of the object it steps out
// and returns nil.
func (c *cursor) next() []byte {
	if c.token(); c.at >= len(c.b) || c.b[c.at] == '}' {
		c.at++
		return nil
	}
	return c.lower(c.value())
}

// value steps over a value and returns it as it is written.
func (c *cursor) value() []byte {
	c.token()
	rest := c.b[min(c.at, len(c.b)):]
	if len(rest) == 0 {
		return nil
	}
	n := valueLength(rest)
	c.at += n
	return rest[:n]
}

func (c *cursor) lower(quoted []byte) []byte {
	name := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(name, '\\') >= 0 {
		name = []byte(unquote(quoted))
	}
	low := append(c.name[:0], name...)
	for i, b := range low {
		if 'A' <= b && b <= 'Z' {
			low[i] = b + 'a' - 'A'
		}
	}
	return low
}

// token skips what stands between names and values.
func (c *cursor) token() {
	for ; c.at < len(c.b); c.at++ {
		switch c.b[c.at] {
		case ' ', '\t', '\r', '\n', ',', ':':
		default:
			return
		}
	}
}

// valueLength is how long the value is with which b begins.
func valueLength(b []byte) int {
	switch b[0] {
	case '"':
		return stringLength(b)
	case '{', '[':
		return nestLength(b)
	}
	if n := bytes.IndexAny(b, ",]} \t\r\n"); n >= 0 {
		return n
	}
	return len(b)
}

func stringLength(b []byte) int {
	if end := 1 + bytes.IndexByte(b[1:], '"'); b[end-1] != '\\' {
		return end + 1
	}
	for i := 1; ; i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
}

func nestLength(b []byte) int {
	depth := 0
	for i := 0; ; i++ {
		switch b[i] {
		case '"':
			i += stringLength(b[i:]) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
}
