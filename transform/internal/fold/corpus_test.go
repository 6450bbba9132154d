package fold

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"ringstream/schemas/bus"
	"ringstream/transform/internal/call"
)

var update = flag.Bool("update", false, "rewrite testdata/corpus/*.calls.jsonl")

// kept is a message of RTE in testdata/corpus/*.rte.jsonl, one a line.
type kept struct {
	Seq     uint64      `json:"seq"`
	Stored  time.Time   `json:"stored"`
	Subject string      `json:"subject"`
	Header  nats.Header `json:"header"`
	Data    string      `json:"data"`
}

// told is a call event as it goes into the log.
type told struct {
	In     string              `json:"in"` // position of the input, and which of its events
	Header map[string][]string `json:"header"`
	Data   json.RawMessage     `json:"data"`
}

// TestCorpus folds raw streams that were stored once, and compares the call
// events byte by byte with those of then. What was told of a call is the
// contract of all who read CALLS: a difference is a change of behaviour, which
// -update accepts.
func TestCorpus(t *testing.T) {
	streams, err := filepath.Glob("testdata/corpus/*.rte.jsonl")
	if err != nil || len(streams) < 3 {
		t.Fatalf("%d streams (%v)", len(streams), err)
	}
	for _, stream := range streams {
		golden := strings.TrimSuffix(stream, ".rte.jsonl") + ".calls.jsonl"
		t.Run(filepath.Base(golden), func(t *testing.T) {
			got := retold(t, stream)
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n")))
		})
	}
}

// compare shows where two streams of call events part.
func compare(t *testing.T, got, want [][]byte) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		var g, w []byte
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if !bytes.Equal(g, w) {
			t.Fatalf("line %d of %d (then %d)\nnow  %s\nthen %s", i+1, len(got)-1, len(want)-1, g, w)
		}
	}
}

// retold is the log of a stream that was kept, all partitions in one, with a
// restart from the newest snapshot now and then.
func retold(t *testing.T, path string) (log []byte) {
	t.Helper()
	f := New(call.DefaultLimits())
	for n, m := range messages(t, path) {
		in, err := Decode(m)
		if err != nil && in.Seq != m.Seq {
			t.Fatalf("message %d: %v", m.Seq, err)
		}
		s := f.Step(in)
		for i, out := range s.Outputs {
			header, body, err := Encode(out)
			if err != nil {
				t.Fatal(err)
			}
			line, err := json.Marshal(told{fmt.Sprintf("%d/%d", m.Seq, i), header, body})
			if err != nil {
				t.Fatal(err)
			}
			log = append(append(log, line...), '\n')
		}
		if n%97 == 0 {
			f = again(t, f)
		}
	}
	return log
}

func again(t *testing.T, f *Fold) *Fold {
	t.Helper()
	b, err := f.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	restored, same, err := Restore(call.DefaultLimits(), b)
	if err != nil || !same {
		t.Fatal(same, err)
	}
	return restored
}

func messages(t *testing.T, path string) (all []bus.Message) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var k kept
		if err := json.Unmarshal(lines.Bytes(), &k); err != nil {
			t.Fatal(err)
		}
		all = append(all, bus.Message{Seq: k.Seq, Stored: k.Stored, Subject: k.Subject, Header: k.Header, Data: []byte(k.Data)})
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
