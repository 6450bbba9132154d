package page

import (
	"net/url"
	"testing"

	"ringstream/schemas/event"
	"ringstream/transform/internal/replay/explain"
)

func TestReadQuery(t *testing.T) {
	for in, want := range map[string]string{
		"": "/", "q=++456+": "/?q=456", "show=ringing&page=2": "/?page=2&show=ringing", "show=all&page=1": "/", "show=x&page=-3&y=1": "/",
		"page=99999999999999999999": "/", "q=%26%3C": "/?q=%26%3C",
	} {
		v, err := url.ParseQuery(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := ReadQuery(v).URL(); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
	long := make([]byte, 3*longestText)
	for i := range long {
		long[i] = "\xc3\xa9"[i%2]
	}
	if q := ReadQuery(url.Values{"q": {string(long)}}); len(q.Text) > longestText {
		t.Errorf("a text of %d bytes", len(q.Text))
	}
	if q := (Query{Text: "a", Show: ShowAll, Page: 3}); q.With(ShowNotTold).URL() != "/?q=a&show=not-told" || q.At(2).URL() != "/?page=2&q=a" {
		t.Errorf("%s, %s", q.With(ShowNotTold).URL(), q.At(2).URL())
	}
}

func TestQuery(t *testing.T) {
	s := &Summary{
		Call: "0f6e4c1a-93d2-4b7e-8a61-2c5d9e7f1b30", Caller: "+44 7911 123456", Called: "+442079460000", State: Ringing,
		Screens: []Screen{
			{User: event.User{UserID: "aa9730c4", UserName: "jane.smith@agency.example"}, Negotiator: "JAS", Cause: explain.CauseTold, Told: true},
			{User: event.User{UserID: "bb"}, Cause: "unmapped-nobody"},
		},
	}
	for text, want := range map[string]bool{
		"": true, "456": true, "…456": true, "123 456": true, "07911 123456": true, "+447911123456": true, "0000": true, "457": false, "0": true, "1": false,
		"0f6e4c1a": true, "0F6E4C1A-93D2": true, "93d2": false, "jane": true, "Jane Smith": true, "smith@agency": true, "jas": true, "ja": true, "JA": true,
		"AA9730C4": true, "aa97": false, "bb": true, "tom": false, "-": false,
	} {
		if got := (Query{Text: text, Show: ShowAll}).matches(s); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	for show, want := range map[Show]bool{ShowAll: true, ShowRinging: true, ShowNotTold: true} {
		if got := (Query{Show: show}).matches(s); got != want {
			t.Errorf("%s: %v", show, got)
		}
	}
	over := &Summary{State: Ended, Screens: []Screen{{Cause: explain.CauseTold, Told: true}, {Cause: explain.CauseOutbound}, {Cause: explain.CauseUnderWay}}}
	for show, want := range map[Show]bool{ShowAll: true, ShowRinging: false, ShowNotTold: false} {
		if got := (Query{Show: show}).matches(over); got != want {
			t.Errorf("a call that is over, %s: %v", show, got)
		}
	}
}
