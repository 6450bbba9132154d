package spool

import "testing"

// One message through the spool: written, taken from memory, ended.
func BenchmarkThrough(b *testing.B) {
	s, _ := open(b, b.TempDir(), 1<<30)
	data := make([]byte, 1200)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if err := s.Push(b.Context(), data); err != nil {
			b.Fatal(err)
		}
		next(b, s)
		s.Done(1)
	}
}
