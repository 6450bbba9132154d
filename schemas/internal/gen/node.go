package main

import (
	"bytes"
	"encoding/json"
	"slices"

	"ringstream/schemas/event"
)

// node is a JSON object whose members keep their order, so that a schema reads
// like its table.
type node []member

type member struct {
	key   string
	value any
}

// obj makes a node of alternating keys and values.
func obj(pairs ...any) node {
	n := make(node, 0, len(pairs)/2)
	for pair := range slices.Chunk(pairs, 2) {
		n = append(n, member{pair[0].(string), pair[1]})
	}
	return n
}

func (n node) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(m.key)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func (n node) render() ([]byte, error) {
	b, err := json.MarshalIndent(n, "", "  ")
	return append(b, '\n'), err
}

// document begins a schema file: everything but its body.
func document(path, title, description string, body ...any) node {
	head := obj(
		"$schema", "https://json-schema.org/draft/2020-12/schema",
		"$id", event.SchemaBase+path,
		"title", title,
		"description", description,
	)
	return append(head, obj(body...)...)
}

func ref(to string) node { return obj("$ref", to) }
