package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestJudge(t *testing.T) {
	all := func(negotiators ...string) (list []notification) {
		for i, n := range negotiators {
			list = append(list, notification{NegotiatorID: n, SubType: told[i%len(told)]})
		}
		return list
	}
	for name, c := range map[string]struct {
		list []notification
		says string // empty: it is as it must be
	}{
		"all":         {all("JAS", "JAS", "JAS"), ""},
		"nothing":     {nil, "was told []"},
		"too little":  {all("JAS", "JAS"), `was told ["incomingCall" "answeredCall"]`},
		"twice":       {all("JAS", "JAS", "JAS", "JAS"), `"endedCall" "incomingCall"]`},
		"out of turn": {[]notification{{NegotiatorID: "JAS", SubType: "endedCall"}, {NegotiatorID: "JAS", SubType: "incomingCall"}}, "was told"},
		"to another":  {all("JAS", "TOM", "JAS"), "answeredCall was told to TOM"},
	} {
		err := judge(c.list)
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSettings(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"help":          {[]string{"-help"}, exitClean, "-listeners"},
		"nothing":       {nil, exitSettings, "where the simulators are"},
		"one side":      {[]string{"-rte=http://127.0.0.1:1"}, exitSettings, "where the simulators are"},
		"an argument":   {[]string{"-rte=x", "-reapit=x", "now"}, exitSettings, "where the simulators are"},
		"no simulators": {[]string{"-rte=http://127.0.0.1:1", "-reapit=http://127.0.0.1:1"}, exitFailure, "trial: ring: "},
	} {
		var out, problems bytes.Buffer
		if code := run(t.Context(), c.args, &out, &problems); code != c.code || !strings.Contains(problems.String(), c.says) {
			t.Errorf("%s: exit %d, %s%s", name, code, &out, &problems)
		}
	}
}
