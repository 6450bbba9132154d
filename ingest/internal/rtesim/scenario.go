package rtesim

import (
	"embed"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/tools/txtar"

	"ringstream/ingest/internal/rte"
)

//go:embed scenarios/*.txtar
var scenarioFiles embed.FS

const agencyFile = "agency"

// Scenario is a story of calls, read.
type Scenario struct {
	Name  string
	About string // the comment before the first section
	Directory
	Calls []callPlan
}

// callPlan is one call of a scenario.
type callPlan struct {
	start    time.Duration
	settings []field // of every event of the call
	events   []eventPlan
}

// eventPlan is one line of a call.
type eventPlan struct {
	offset time.Duration // since the start of the call
	times  int           // how often the very same event is sent
	eventSpec
}

// Agency is the directory that scenarios have unless they bring their own.
func Agency() Directory {
	s, err := Named(agencyFile)
	if err != nil {
		panic(err) // embedded, and read by every test
	}
	return s.Directory
}

// ScenarioNames lists the embedded scenarios.
func ScenarioNames() []string {
	files, _ := scenarioFiles.ReadDir("scenarios") // embedded
	var names []string
	for _, f := range files {
		if name := strings.TrimSuffix(f.Name(), path.Ext(f.Name())); name != agencyFile {
			names = append(names, name)
		}
	}
	return names
}

// Named reads an embedded scenario.
func Named(name string) (Scenario, error) {
	text, err := scenarioFiles.ReadFile("scenarios/" + name + ".txtar")
	if err != nil {
		return Scenario{}, fmt.Errorf("no scenario %q, there are %v", name, ScenarioNames())
	}
	return ParseScenario(name, text)
}

// ParseScenario reads a scenario. The package documentation tells the format.
func ParseScenario(name string, text []byte) (Scenario, error) {
	archive := txtar.Parse(text)
	s := Scenario{Name: name, About: strings.TrimSpace(string(archive.Comment))}
	if !slices.ContainsFunc(archive.Files, func(f txtar.File) bool { return f.Name == "users" }) {
		s.Directory = Agency()
	}
	var wrong []error
	for _, f := range archive.Files {
		if err := s.readSection(f); err != nil {
			wrong = append(wrong, fmt.Errorf("scenario %s, section %s: %w", name, f.Name, err))
		}
	}
	if len(wrong) == 0 && len(s.Calls) == 0 && name != agencyFile {
		wrong = append(wrong, fmt.Errorf("scenario %s has no call", name))
	}
	return s, errors.Join(wrong...)
}

func (s *Scenario) readSection(f txtar.File) error {
	read, known := map[string]func(line string) error{
		"organization": func(line string) error { s.Organization = strings.ToLower(line); return nil },
		"users":        func(line string) error { return s.readLine("users", line) },
		"queues":       func(line string) error { return s.readLine("queues", line) },
		"calllists":    func(line string) error { return s.readLine("calllists", line) },
		"call":         func(line string) error { return s.Calls[len(s.Calls)-1].readLine(line) },
	}[f.Name]
	if !known {
		return errors.New("unknown section")
	}
	if f.Name == "call" {
		s.Calls = append(s.Calls, callPlan{})
	}
	for i, line := range strings.Split(string(f.Data), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := read(line); err != nil {
			return fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	return nil
}

// readLine reads a line of a call: an event if it begins with an offset, else
// settings for all its events.
func (c *callPlan) readLine(line string) error {
	words, err := split(line)
	if err != nil {
		return err
	}
	if strings.HasPrefix(words[0], "+") {
		e, err := readEvent(words)
		if err != nil {
			return err
		}
		c.events = append(c.events, e)
		return nil
	}
	for _, w := range words {
		f, err := readField(w)
		if err != nil {
			return err
		}
		if strings.EqualFold(f.name, "start") {
			if c.start, err = time.ParseDuration(f.text()); err != nil {
				return fmt.Errorf("start: %w", err)
			}
			continue
		}
		c.settings = append(c.settings, f)
	}
	return nil
}

func readEvent(words []string) (eventPlan, error) {
	e := eventPlan{times: 1}
	var err error
	if e.offset, err = time.ParseDuration(words[0]); err != nil {
		return e, fmt.Errorf("offset: %w", err)
	}
	if len(words) < 2 {
		return e, errors.New("an offset without an event")
	}
	e.eventType = words[1]
	for _, w := range words[2:] {
		if err := e.readWord(w); err != nil {
			return e, err
		}
	}
	return e, nil
}

func (e *eventPlan) readWord(w string) error {
	if name, left := strings.CutPrefix(w, "-"); left {
		e.without = append(e.without, strings.ToLower(name))
		return nil
	}
	f, err := readField(w)
	if err != nil {
		return err
	}
	switch strings.ToLower(f.name) {
	case "user":
		e.user = f.text()
	case "queue":
		e.queue = f.text()
	case "calllist":
		e.callList = f.text()
	case "times":
		if _, err := fmt.Sscan(f.text(), &e.times); err != nil || e.times < 1 {
			return fmt.Errorf("times %q is no positive number", f.text())
		}
	default:
		e.fields = append(e.fields, f)
	}
	return nil
}

// eventTypes lists the types of the events of a scenario.
func (s Scenario) eventTypes() []string {
	var types []string
	for _, c := range s.Calls {
		for _, e := range c.events {
			types = append(types, e.eventType)
		}
	}
	slices.Sort(types)
	return slices.Compact(types)
}

// subscriptions lists what a client subscribes to hear all of the scenario.
func (s Scenario) subscriptions() ([]rte.EntitySubscription, error) {
	keys := map[rte.EntitySubscription]bool{}
	for _, c := range s.Calls {
		for _, e := range c.events {
			o, err := s.compose(e.eventSpec, c.settings, nil, time.Time{})
			if err != nil {
				return nil, err
			}
			keys[o.key()] = true
		}
	}
	var list []rte.EntitySubscription
	for k := range keys {
		list = append(list, k)
	}
	return list, nil
}

// split cuts a line into words at spaces outside double quotes. Quotes are
// dropped, so that note="a b" is one word, but not those of name:=JSON.
func split(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	quoted, open := false, false
	for _, r := range line {
		switch {
		case r == '"':
			quoted, open = !quoted, true
			if strings.Contains(word.String(), ":=") {
				word.WriteRune(r)
			}
		case !quoted && (r == ' ' || r == '\t'):
			if open {
				words = append(words, word.String())
			}
			word.Reset()
			open = false
		default:
			word.WriteRune(r)
			open = true
		}
	}
	if quoted {
		return nil, fmt.Errorf("a quote is not closed in %q", line)
	}
	if open {
		words = append(words, word.String())
	}
	return words, nil
}
