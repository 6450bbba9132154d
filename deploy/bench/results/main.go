// Command results makes of what the benchmarks measured one JSON file, a page
// with tables, and plots.
//
// It owns how figures are shown: the median of the rounds, with the least and the
// most, and which ratios are no longer what they were in the results that it
// replaces. It refuses to judge them and to measure. The caller runs it at the root of
// the repository and owes the files that
// make bench leaves: *.json of the benchmarks over real processes, and *.txt as go
// test -bench prints.
package main

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

func main() {
	from := flag.String("from", "bin/bench", "folder with what the benchmarks measured")
	to := flag.String("to", "deploy/bench", "folder for RESULTS.md, results.json and the plots")
	version := flag.String("version", "", "version of what was measured")
	flag.Parse()
	if err := run(*from, *to, *version); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:forbidigo // main
	}
}

// results is what results.json holds.
type results struct {
	Machine machine  `json:"machine"`
	Figures []figure `json:"figures"`
}

func run(from, to, version string) error {
	figures, err := gather(from)
	if err != nil {
		return err
	}
	before, err := committed(to)
	if err != nil {
		return err
	}
	fmt.Print(repeated(before, figures))
	r := results{Machine: thisMachine(version), Figures: figures}
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return fmt.Errorf("encode results: %w", err)
	}
	plots, err := draw(figures, to)
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{"results.json": append(b, '\n'), "RESULTS.md": []byte(page(r, plots))} {
		if err := os.WriteFile(filepath.Join(to, name), content, 0o644); err != nil { //nolint:gosec // everybody may read it
			return fmt.Errorf("write results: %w", err)
		}
	}
	return nil
}

// gather reads what the benchmarks left, in the order of the files' names.
func gather(folder string) (all []figure, err error) {
	files, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("read measurements: %w", err)
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(folder, f.Name())) //nolint:gosec // the folder that the caller names
		if err != nil {
			return nil, fmt.Errorf("read measurements: %w", err)
		}
		var some []figure
		switch filepath.Ext(f.Name()) {
		case ".json":
			if err := json.Unmarshal(b, &some); err != nil {
				return nil, fmt.Errorf("read %s: %w", f.Name(), err)
			}
		case ".txt":
			some = printed(string(b))
		}
		all = append(all, some...)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("read measurements: there are none in %s", folder)
	}
	slices.SortStableFunc(all, func(a, b figure) int { return cmp.Compare(rank(a.Of), rank(b.Of)) })
	return all, nil
}
