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
	notes chan string
}

// say prints a note behind what happened before it. It must not be called
// after seen, given to run, was closed.
func (s *screen) say(format string, args ...any) { s.notes <- fmt.Sprintf(format, args...) }

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
		case note := <-s.notes:
			s.print(time.Now())
			fmt.Fprintln(s.out, note)
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
