package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// committed are the figures that results.json has; none where there is no such file.
func committed(folder string) ([]figure, error) {
	b, err := os.ReadFile(filepath.Join(folder, "results.json")) //nolint:gosec // the folder that the caller names
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read earlier results: %w", err)
	}
	var r results
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("read earlier results: %w", err)
	}
	return r.Figures, nil
}

// repeated says how many ratios are again what they were, and which are not. Rates
// and times are a machine's, and a single round has no spread: they are left out.
// Where nothing has changed, five rounds of now all lie beside five of before once
// in 126 times (2 of the 252 orders that ten rounds may have), three once in ten.
func repeated(before, now []figure) string {
	var again int
	var others []string
	for _, f := range now {
		i := slices.IndexFunc(before, f.sameAs)
		if i < 0 || !f.spread() || !before[i].spread() {
			continue
		}
		if f.overlaps(before[i]) {
			again++
			continue
		}
		others = append(others, fmt.Sprintf("%s, %s, %s: %v, was %v\n", f.Of, line(f), f.Name, f, before[i]))
	}
	if again+len(others) == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d ratios lie within the spread of the earlier results\n%s", again, again+len(others), strings.Join(others, ""))
}

func (f figure) sameAs(other figure) bool {
	return f.Of == other.Of && f.Name == other.Name && line(f) == line(other)
}

// spread tells whether it is a ratio whose rounds differ.
func (f figure) spread() bool {
	return f.Unit == "ratio" && slices.Min(f.Rounds) < slices.Max(f.Rounds)
}

func (f figure) overlaps(other figure) bool {
	return slices.Min(f.Rounds) <= slices.Max(other.Rounds) && slices.Min(other.Rounds) <= slices.Max(f.Rounds)
}
