package hub

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"ringstream/ingest/internal/rte"
)

const (
	jane  = "c9eeb030-ff4b-ea11-ac9c-00155d4fdcf3"
	sales = "a1eeb030-ff4b-ea11-ac9c-00155d4fdcf3"
)

func spell(items []rte.EntitySubscription) string {
	var words []string
	for _, i := range items {
		words = append(words, i.EventName+":"+i.EntityID[:2])
	}
	return strings.Join(words, " ")
}

func TestResolve(t *testing.T) {
	offered := []string{"UserStatus", "UserCallInComing", "QueueStatus", "CallbackChanged", "QueueCallInNew"}
	for _, c := range []struct{ wanted, items, missing string }{
		{"user:" + jane, "UserStatus:c9 UserCallInComing:c9", ""},
		{"USER:" + strings.ToUpper(jane) + ",user:" + jane, "UserStatus:C9 UserCallInComing:C9", ""},
		{"queue:" + sales + ",calllist:" + jane, "QueueStatus:a1 QueueCallInNew:a1 CallbackChanged:c9", ""},
		{"userstatus:" + jane + ",UserStatus:" + jane, "UserStatus:c9", ""},
		{"UserNew:" + jane, "", "UserNew:c9"},
		{"UserAlert:" + jane + ",UserStatus:" + jane, "UserStatus:c9", "UserAlert:c9"},
	} {
		w, err := ParseWanted(strings.Split(c.wanted, ","))
		if err != nil {
			t.Fatal(err)
		}
		items, missing := w.Resolve(offered)
		if spell(items) != c.items || spell(missing) != c.missing {
			t.Errorf("%s: items %q, missing %q", c.wanted, spell(items), spell(missing))
		}
	}
}

func TestParseWantedNamesEveryBadItem(t *testing.T) {
	bad := []string{"UserStatus", ":" + jane, "user:jane", "UserStatus:{" + jane + "}", "queue:", "usr:" + jane, "users:" + jane}
	_, err := ParseWanted(append([]string{"user:" + jane}, bad...))
	if err == nil {
		t.Fatal("no error")
	}
	if lines := strings.Count(err.Error(), "\n") + 1; lines != len(bad) {
		t.Errorf("%d lines: %v", lines, err)
	}
	for _, item := range bad {
		if !strings.Contains(err.Error(), fmt.Sprintf("item %q", item)) {
			t.Errorf("%q is not named", item)
		}
	}
}

func TestParseWantedFile(t *testing.T) {
	offered := []string{"UserStatus", "UserAlert", "QueueStatus"}
	for _, c := range []struct{ file, items, wrong string }{
		{"users: [" + jane + "]\nqueues:\n- id: " + sales, "UserStatus:c9 UserAlert:c9 QueueStatus:a1", ""},
		{"users:\n- id: " + jane + "\n  events: [UserAlert]", "UserAlert:c9", ""},
		{"users: [" + jane + "]\nqueues: [" + sales + "]\nevents: [UserStatus]", "UserStatus:c9", ""},
		{"users: [bob, " + jane + "]", "", `users: "bob" is no GUID`},
		{"people: [" + jane + "]", "", `line 1: key "people" is unknown, known are users, queues, calllists, events`},
		{"users:\n- id: " + jane + "\n  event: [UserAlert]", "", `line 3: key "event" is unknown, known are id, events`},
		{"users: " + jane + "\nqueues: " + sales, "", "line 1: users, queues and calllists list ids"},
		{"users: [" + jane + "]\nevents: {a: b}", "", "line 2: users, queues and calllists list ids"},
		{"- " + jane, "", "line 1: users, queues and calllists list ids"},
		{"users: {", "", "line 1: did not find"},
		{"", "", "it lists nothing"},
		{"# nothing yet\n", "", "it lists nothing"},
	} {
		w, err := ParseWantedFile([]byte(c.file))
		if (err != nil) != (c.wrong != "") || err != nil && (!strings.Contains(err.Error(), c.wrong) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%q: error %v, want %q", c.file, err, c.wrong)
		}
		if items, _ := w.Resolve(offered); c.wrong == "" && spell(items) != c.items {
			t.Errorf("%q: %s", c.file, spell(items))
		}
	}
}

// What the README shows can be used.
func TestWantedFileOfTheReadme(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, behind, fenced := strings.Cut(string(readme), "```yaml\n")
	example, _, ended := strings.Cut(behind, "```")
	if !fenced || !ended {
		t.Fatal("there is none")
	}
	w, err := ParseWantedFile([]byte(example))
	if err != nil || len(w.Entities) != 3 || len(w.Entities[1].Events) != 2 {
		t.Errorf("%+v, %v", w, err)
	}
}

func TestChunksFitTheHub(t *testing.T) {
	var items []rte.EntitySubscription
	for i := range 1000 {
		items = append(items, rte.EntitySubscription{EntityID: jane, EventName: "UserCall" + strings.Repeat("X", i%150)})
	}
	var all []rte.EntitySubscription
	for _, part := range chunk(items, chunkItems, chunkBytes) {
		arguments := []byte("[")
		for _, i := range part {
			arguments = fmt.Appendf(arguments, `{"EntityId":%q,"EventName":%q},`, i.EntityID, i.EventName)
		}
		if record := rte.AppendInvocation(nil, "123456", rte.MethodSubscribe, arguments); len(part) > 200 || len(record) > rte.MaxRecord {
			t.Errorf("%d items in %d bytes", len(part), len(record))
		}
		all = append(all, part...)
	}
	if !slices.Equal(all, items) {
		t.Error("chunks are not the items")
	}
}
