package main

import "os"

// paint colours text, or leaves it when it is off.
type paint struct{ on bool }

const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
)

func (p paint) with(code, text string) string {
	if !p.on || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (p paint) bold(text string) string { return p.with(bold, text) }
func (p paint) dim(text string) string  { return p.with(dim, text) }

func (p paint) stage(e entry, text string) string {
	switch {
	case e.bad:
		return p.with(red, text)
	case e.stage == stageRaw:
		return p.dim(text)
	case e.stage == stageCall:
		return p.with(cyan, text)
	case e.stage == stageSkip:
		return p.with(yellow, text)
	}
	return p.with(green, text)
}

// paintFor is on for a terminal whose user has not asked for plain text.
func paintFor(out *os.File, getenv func(string) string) paint {
	info, err := out.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0
	return paint{on: terminal && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"}
}
