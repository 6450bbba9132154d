package replay

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"ringstream/schemas/event"
	"ringstream/schemas/topology"
)

// errNoLine means that a line is none that run -o json prints.
var errNoLine = errors.New("is no call event as replay run -o json prints it")

// lines reads what another binary has printed of RTE, from a file or, if it is
// called "-", from standard input.
func (c *command) lines(path string) ([]Held, error) {
	if path == "-" {
		return readLines(cmp.Or[io.Reader](c.in, strings.NewReader("")), "standard input")
	}
	file, err := os.Open(path) //nolint:gosec // the caller of the program names it
	if err != nil {
		return nil, fmt.Errorf("read what is compared with: %w", err)
	}
	defer file.Close()
	return readLines(file, path)
}

func readLines(r io.Reader, name string) (all []Held, err error) {
	b := bufio.NewReaderSize(r, 1<<16)
	for n, more := uint64(1), true; more; n++ {
		line, err := b.ReadBytes('\n')
		if more = err == nil; !more && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		h, err := readLine(line)
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", name, n, err)
		}
		h.Seq = n
		all = append(all, h)
	}
	return all, nil
}

// readLine takes what has the members without which no event of a call can be
// told from another. What else it has is compared, not judged.
func readLine(line []byte) (Held, error) {
	if line[0] != '{' {
		return Held{}, fmt.Errorf("%w: it is no JSON object", errNoLine)
	}
	var e event.Call
	if err := json.Unmarshal(line, &e); err != nil {
		return Held{}, fmt.Errorf("%w: %w", errNoLine, err)
	}
	if e.CallID == "" || e.Sequence < 1 || !slices.Contains(event.CallTypes(), e.Type) {
		return Held{}, fmt.Errorf("%w: callId, sequence or type is not that of one", errNoLine)
	}
	return Held{
		ID: e.EventID(), Body: line, Printed: true, Recorded: e.RecordedAt,
		Subject: topology.Call(e.OrganizationID, string(e.Type), e.CallID),
	}, nil
}
