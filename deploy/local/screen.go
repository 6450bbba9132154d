package main

import (
	"fmt"
	"io"
	"time"
)

// screen is the only one that prints while calls are played.
type screen struct {
	out   io.Writer
	lines *timeline
}

// run prints entries until seen is closed, and then what is left.
func (s *screen) run(seen <-chan entry) {
	ticks := time.NewTicker(tick)
	defer ticks.Stop()
	for {
		select {
		case e, open := <-seen:
			if !open {
				s.print(time.Now().Add(hold))
				return
			}
			s.lines.add(e)
		case now := <-ticks.C:
			s.print(now.Add(-hold))
		}
	}
}

func (s *screen) print(before time.Time) {
	for _, line := range s.lines.due(before) {
		fmt.Fprintln(s.out, line)
	}
}
