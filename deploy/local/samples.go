package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// sample is a scenario of Enreach's simulator and what each negotiator must be
// shown of it, in order.
type sample struct {
	scenario, about string
	expect          map[string][]string
}

const (
	incoming = "incomingCall"
	answered = "answeredCall"
	ended    = "endedCall"
	missed   = "missedCall"
)

var samples = []sample{
	{"direct-answered", "a customer rings Jane's own number; she answers, holds once, and he hangs up", map[string][]string{
		"JAS": {incoming, answered, ended},
	}},
	{"direct-missed", "a customer rings Tom and gives up; missed is only said once nobody can answer any more, after 2 to 3 s", map[string][]string{
		"TOM": {incoming, missed},
	}},
	{"hunt-group", "the branch's number rings Jane, Tom and Sara together; Tom answers, and the others are told who", map[string][]string{
		"JAS": {incoming, answered, ended},
		"TOM": {incoming, answered, ended},
		"SAR": {incoming, answered, ended},
	}},
	{"transfer", "Jane answers and passes the call to Tom; hers ends, his begins", map[string][]string{
		"JAS": {incoming, answered, ended},
		"TOM": {incoming, answered, ended},
	}},
	{"withheld", "two callers withhold their numbers: Sara answers one, Ali misses the other", map[string][]string{
		"SAR": {incoming, answered, ended},
		"ALI": {incoming, missed},
	}},
}

func (s sample) total() int {
	n := 0
	for _, kinds := range s.expect {
		n += len(kinds)
	}
	return n
}

// arrival is one notification that arrived, or was recorded as delivered.
type arrival struct{ callID, negotiator, kind string }

// differences compares what arrived of a sample's calls with what was expected.
func (s sample) differences(got []arrival) []string {
	sorted := map[string][]string{}
	for _, a := range got {
		sorted[a.negotiator] = append(sorted[a.negotiator], a.kind)
	}
	all := maps.Clone(s.expect)
	maps.Copy(all, sorted)
	var wrong []string
	for _, negotiator := range slices.Sorted(maps.Keys(all)) {
		if want, have := s.expect[negotiator], sorted[negotiator]; !slices.Equal(want, have) {
			wrong = append(wrong, fmt.Sprintf("%s was to get %s and got %s", negotiator, list(want), list(have)))
		}
	}
	return wrong
}

func list(kinds []string) string {
	if len(kinds) == 0 {
		return "nothing"
	}
	return strings.Join(kinds, ", ")
}
