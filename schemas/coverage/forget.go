package coverage

import (
	"fmt"
	"strings"
	"time"
)

// How long the name of a replica that is gone is kept: what it has not told by
// then is no longer in the stream either.
const nameAge = 7 * 24 * time.Hour

// Forget drops what matters only to questions about the time before a moment,
// which from now on may be answered wrongly. It makes the state small.
func (l *Ledger) Forget(before time.Time) {
	m := min(momentOf(before), l.newest)
	if m <= l.floor {
		return
	}
	l.floor = m
	c := cutter{at: m, answers: map[answer]*answer{}, numbers: map[*answer]int{}, stories: map[string]*story{}, done: map[*story]*story{}}
	l.lists = map[string][]string{}
	for id, all := range l.entities {
		items := all.each()
		for name, s := range items {
			if items[name] = c.story(s); items[name] == nil {
				delete(items, name)
			}
		}
		if len(items) == 0 {
			delete(l.entities, id)
			continue
		}
		l.entities[id] = partsOf(items, l.keep)
	}
	for name, r := range l.replicas {
		if r.gone && m-r.said > int64(nameAge) {
			delete(l.replicas, name)
		}
	}
}

// cutter cuts stories, so that those with equal rests become one.
type cutter struct {
	at      moment
	answers map[answer]*answer
	numbers map[*answer]int
	stories map[string]*story
	done    map[*story]*story
}

func (c *cutter) story(s *story) *story {
	if cut, ok := c.done[s]; ok {
		return cut
	}
	var rest story
	var key strings.Builder
	for _, a := range s.newest {
		if a = c.answer(a, forever); a != nil {
			rest.newest = append(rest.newest, a)
			fmt.Fprint(&key, c.numbers[a], " ")
		}
	}
	cut := c.stories[key.String()]
	if cut == nil && len(rest.newest) > 0 {
		cut = &rest
		c.stories[key.String()] = cut
	}
	c.done[s] = cut
	return cut
}

// answer returns what is left of an answer that held until some time, and of
// those before it.
func (c *cutter) answer(a *answer, until moment) *answer {
	if a == nil || until <= c.at || a.kind == unwanted && a.at <= c.at && until == forever {
		return nil
	}
	rest := *a
	rest.before = c.answer(a.before, a.at)
	rest.at = max(a.at, c.at)
	known := c.answers[rest]
	if known == nil {
		known = &rest
		c.answers[rest] = known
		c.numbers[known] = len(c.numbers)
	}
	return known
}
