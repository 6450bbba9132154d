package app

import (
	"errors"
	"fmt"
)

// cleanups are run backwards; each is named, so that an error says whose it is.
type cleanups []struct {
	name string
	run  func() error
}

func (c *cleanups) add(name string, run func() error) {
	*c = append(*c, struct {
		name string
		run  func() error
	}{name, run})
}

// run joins what goes wrong to err.
func (c *cleanups) run(err *error) {
	for i := len(*c) - 1; i >= 0; i-- {
		if e := (*c)[i].run(); e != nil {
			*err = errors.Join(*err, fmt.Errorf("%s: %w", (*c)[i].name, e))
		}
	}
}
