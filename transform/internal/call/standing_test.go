package call

import (
	"slices"
	"testing"

	"ringstream/schemas/event"
)

// Both sides of an internal call are told apart, and somebody's first state is
// none.
func TestStandings(t *testing.T) {
	lines, err := ReadStory("+0s UserCallOutGoing tom\n+1s UserCallInUserAllocated jane\n+2s UserCallInUserConnected jane")
	if err != nil {
		t.Fatal(err)
	}
	c := New("c1")
	if got := c.Standings(); len(got) != 0 {
		t.Errorf("a call nobody has heard of has %v", got)
	}
	for _, l := range lines {
		c.Apply(l.Raw, l.Stored, DefaultLimits())
	}
	want := []Standing{
		{User: event.User{UserID: "jane", UserName: "jane@agency.example"}, State: "talking"},
		{User: event.User{UserID: "tom", UserName: "tom@agency.example"}, Outbound: true, State: "dialling"},
	}
	if got := c.Standings(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
