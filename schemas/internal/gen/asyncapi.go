package main

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

const hoursADay = 24

// asyncAPI renders the description of every channel. Who may publish, how long
// a stream keeps what and which events there are comes of topology and event.
func asyncAPI() ([]byte, error) {
	return blockYAML(obj(
		"asyncapi", "3.0.0",
		"info", obj("title", "ringstream", "version", "1.0.0", "description", guide),
		"defaultContentType", "application/json",
		"servers", obj("nats", obj(
			"host", "{host}:{port}",
			"protocol", "nats",
			"description", "NATS with JetStream, 2.15 or newer.",
			"variables", obj(
				"host", obj("default", "127.0.0.1", "description", "A server of the cluster."),
				"port", obj("default", "4222", "description", "Its port for clients."),
			),
		)),
		"channels", channelNodes(),
		"operations", operationNodes(),
		"components", obj("messages", messageNodes(), "parameters", parameters, "schemas", headerNodes()),
	))
}

func channelNodes() node {
	streams := map[string]topology.Stream{}
	for _, s := range topology.Streams(topology.Layout{Partitions: topology.DefaultPartitions, Replicas: 1}) {
		streams[s.Name] = s
	}
	var out node
	for _, c := range channels {
		s := streams[strings.ReplaceAll(c.stream, "{partition}", "0")]
		n := obj("address", c.address, "title", c.title, "description", c.doc, "servers", []node{ref("#/servers/nats")})
		if p := placeholders(c.address); p != nil {
			n = append(n, member{"parameters", p})
		}
		var messages node
		for _, m := range c.messages {
			messages = append(messages, member{m, ref("#/components/messages/" + m)})
		}
		n = append(n, member{"messages", messages})
		if c.stream != "" {
			n = append(n, obj(
				"x-stream", c.stream,
				"x-max-age", strconv.Itoa(int(s.MaxAge.Hours())/hoursADay)+"d",
				"x-republish", s.Republish != "",
			)...)
		}
		out = append(out, member{c.id, append(n, member{"x-internal", c.internal})})
	}
	return out
}

var placeholder = regexp.MustCompile(`\{(\w+)\}`)

func placeholders(address string) node {
	var out node
	for _, m := range placeholder.FindAllStringSubmatch(address, -1) {
		out = append(out, member{m[1], ref("#/components/parameters/" + m[1])})
	}
	return out
}

func operationNodes() node {
	streams := map[string]string{}
	for _, c := range channels {
		streams[c.id] = c.stream
	}
	var out node
	for _, o := range operations {
		n := obj(
			"action", o.action,
			"channel", ref("#/channels/"+o.channel),
			"description", o.doc,
			"tags", []node{obj("name", o.service)},
			"bindings", obj("nats", obj("bindingVersion", "0.1.0")),
			"x-service", o.service,
		)
		if stream := streams[o.channel]; stream != "" {
			n = append(n, member{"x-stream", stream})
		}
		out = append(out, member{o.service + upperFirst(o.action) + upperFirst(o.channel), n})
	}
	return out
}

func messageNodes() node {
	out := obj("raw", message(
		"An event of the hub", "The whole argument of MessageReceived, the subscription and the event, exactly as it arrived.", "rte/message-received.json",
		obj("type", "string", "pattern", "^"+regexp.QuoteMeta(event.RawTypePrefix)+".+$"), "raw", "trace", "message",
	))
	for _, t := range event.FeedTypes() {
		out = append(out, member{name("feed", t), message(
			t.CloudEvent(), feedRules[t].doc, "feed/"+string(t)+".v1.json", is(t.CloudEvent()), "feed", "message",
		)})
	}
	for _, t := range event.CallTypes() {
		out = append(out, member{name("call", t), message(
			t.CloudEvent(), callRules[t].doc, "call/"+string(t)+".v1.json", is(t.CloudEvent()), "call", "trace", "position",
		)})
	}
	for _, t := range event.OutcomeTypes() {
		out = append(out, member{name("delivery", t), message(
			t.CloudEvent(), outcomeRules[t].doc, "delivery/"+string(t)+".v1.json", is(t.CloudEvent()), "delivery", "trace", "position",
		)})
	}
	return append(out, obj(
		"heard", message(event.HeardType, heardDoc, "heard/v1.json", is(event.HeardType), "feed"),
		"deadLetter", message(
			event.DeadLetterType, "Something that cannot go on by itself.", "deadletter/v1.json", is(event.DeadLetterType), "deadLetter", "trace", "message",
		),
		"redrive", obj(
			"title", "Redrive", "summary", "Numbers of dead letters, and whether to try them or only to tell what would be done. Private to deliver.", "contentType", "application/json",
		),
		"snapshot", obj(
			"title", "Snapshot", "summary", "A state, or what its parts are.", "contentType", "application/octet-stream",
			"headers", headersOf(nil, "snapshot", "position", "rollup"),
		),
		"snapshotPart", obj(
			"title", "Part of a snapshot", "summary", "Some of the bytes of a state.", "contentType", "application/octet-stream",
			"headers", headersOf(nil, "position", "rollup"),
		),
	)...)
}

// message describes a CloudEvent whose body has a schema of the contract.
func message(title, doc, schema string, kind node, parts ...string) node {
	narrow := obj("ce-type", kind, "ce-dataschema", is(event.SchemaBase+schema))
	return obj(
		"title", title,
		"summary", doc,
		"contentType", "application/json",
		"headers", headersOf(narrow, append([]string{"cloudEvent"}, parts...)...),
		"payload", obj("schemaFormat", "application/schema+json;version=2020-12", "schema", ref("./jsonschema/"+schema)),
		"x-example", "./examples/"+schema,
	)
}

func headersOf(narrow node, parts ...string) node {
	var all []node
	for _, part := range parts {
		all = append(all, ref("#/components/schemas/"+part+"Headers"))
	}
	n := obj("type", "object", "allOf", all)
	if narrow != nil {
		n = append(n, member{"properties", narrow})
	}
	return n
}

func headerNodes() node {
	var out node
	for _, h := range headers {
		out = append(out, member{h.name + "Headers", headerSchema(h.doc, h.rows)})
	}
	return out
}

func names[T ~string](family string, types []T) []string {
	var out []string
	for _, t := range types {
		out = append(out, name(family, t))
	}
	return out
}

// name is a message's: callCallbackRequested of call and callback-requested.
func name[T ~string](family string, kind T) string {
	for word := range strings.SplitSeq(string(kind), "-") {
		family += upperFirst(word)
	}
	return family
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// blockYAML writes a node as people write YAML. JSON is YAML in another style.
func blockYAML(n node) ([]byte, error) {
	b, err := json.Marshal(n)
	if err != nil {
		return nil, err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		return nil, err
	}
	unstyle(&doc)
	out := bytes.NewBufferString("# Code generated by internal/gen from its tables, topology and event; DO NOT EDIT.\n")
	e := yaml.NewEncoder(out)
	e.SetIndent(2)
	if err := e.Encode(&doc); err != nil {
		return nil, err
	}
	return out.Bytes(), e.Close()
}

func unstyle(n *yaml.Node) {
	n.Style = 0
	for _, child := range n.Content {
		unstyle(child)
	}
}
