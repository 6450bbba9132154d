package rtesim

import "testing"

// A connection may end while its Subscribe is worked on: it hears nothing all the same.
func TestBookKnowsNobodyWhoHasEnded(t *testing.T) {
	var b attendances
	b.note("a", Subscribed, 1)
	b.note("a", Ended, 0)
	b.note("a", Subscribed, 2)
	b.note("b", Subscribed, 1)
	if all := b.list(); len(all) != 3 || all[1].What != Ended || all[2].Connection != "b" {
		t.Errorf("the book says %+v", all)
	}
	b.clear()
	b.note("a", Subscribed, 2)
	if all := b.list(); len(all) != 1 || all[0].Connection != "b" {
		t.Errorf("after a reset it says %+v", all)
	}
}
