package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"ringstream/schemas/topology"
)

// account is the one in which all of the streams are.
const account = "RINGSTREAM"

// accounts is the part of a server's configuration that says who may do what.
func accounts(l topology.Layout) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Generated: go generate ./deploy/nats. Who may do what on the bus, for PARTITIONS=%d; for another number:
# go run ./deploy/nats accounts -partitions 8. A password is a bcrypt hash (nats server passwd), or "plain" in quotes,
# and the server finds it in its environment.
accounts {
  %s {
    jetstream: enabled
    users: [
`, l.Partitions, account)
	for _, r := range topology.Roles() {
		p := topology.Permissions(r, l)
		fmt.Fprintf(&b, "      {\n        user: %s\n        password: $%s\n        permissions: {\n", r, passwordVariable(r))
		list(&b, "publish", p.Publish)
		list(&b, "subscribe", p.Subscribe)
		b.WriteString("        }\n      }\n")
	}
	b.WriteString("    ]\n  }\n}\n")
	return b.String()
}

func list(b *strings.Builder, what string, subjects []string) {
	fmt.Fprintf(b, "          %s: [\n", what)
	for _, s := range subjects {
		fmt.Fprintf(b, "            %q\n", s)
	}
	b.WriteString("          ]\n")
}

// passwordVariable is where the server finds the password of a user.
func passwordVariable(r topology.Role) string {
	return "NATS_" + strings.ToUpper(string(r)) + "_PASSWORD"
}

// writeAccounts writes the configuration to a file, or tells it, and puts it into
// the values of the chart.
func writeAccounts(l topology.Layout, file, values string, stdout io.Writer) error {
	text := accounts(l)
	if file == "" && values == "" {
		fmt.Fprint(stdout, text)
		return nil
	}
	if file != "" {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil { //nolint:gosec // there is no secret in it
			return fmt.Errorf("write accounts: %w", err)
		}
	}
	if values == "" {
		return nil
	}
	before, err := os.ReadFile(values)
	if err != nil {
		return fmt.Errorf("read values: %w", err)
	}
	after, err := insert(before, text)
	if err != nil {
		return fmt.Errorf("put accounts into %s: %w", values, err)
	}
	if err := os.WriteFile(values, after, 0o644); err != nil { //nolint:gosec // there is no secret in it
		return fmt.Errorf("write values: %w", err)
	}
	return nil
}

// Marks in the values, between which the accounts stand.
const (
	opening = "      accounts.conf: |\n"
	closing = "# end of accounts.conf\n"
	indent  = "        "
)

// insert replaces the accounts in the values of the chart, as a block of text.
func insert(values []byte, text string) ([]byte, error) {
	head, rest, opened := bytes.Cut(values, []byte(opening))
	_, tail, closed := bytes.Cut(rest, []byte(closing))
	if !opened || !closed {
		return nil, fmt.Errorf("it lacks the marks %q and %q", strings.TrimSpace(opening), strings.TrimSpace(closing))
	}
	var b bytes.Buffer
	b.Write(head)
	b.WriteString(opening)
	for line := range strings.Lines(text) {
		b.WriteString(indent + line)
	}
	b.WriteString(closing)
	b.Write(tail)
	return b.Bytes(), nil
}
