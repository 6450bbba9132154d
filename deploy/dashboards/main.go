// Dashboards writes the dashboards of Grafana beside it, from panels as data.
//
// It owns what is drawn, where and in what unit; the names of metrics are those
// of schemas/telemetry, which its tests hold it to, as they do the rules of
// deploy/alerts and the pages of deploy/runbooks. It refuses nothing and knows
// no Grafana: the caller imports the files, or has the chart do it, and owes
// them a data source of Prometheus.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

//go:generate go run .

func main() {
	dir := flag.String("o", ".", "the folder to write to")
	rules := flag.Bool("rules", false, "print every expression as a recording rule instead, for promtool to check")
	flag.Parse()
	if *rules {
		fmt.Print(asRules())
		return
	}
	if err := write(*dir); err != nil {
		fmt.Fprintf(os.Stderr, "dashboards: %v\n", err)
		os.Exit(1)
	}
}

// asRules are the expressions as Prometheus sees them, with what Grafana puts in.
func asRules() string {
	var b strings.Builder
	b.WriteString("groups:\n  - name: dashboards\n    rules:\n")
	filled := strings.NewReplacer("$__rate_interval", "1m", "$namespace", ".*")
	for i, expr := range expressions() {
		fmt.Fprintf(&b, "      - {record: 'panel:%d', expr: '%s'}\n", i, strings.ReplaceAll(filled.Replace(expr), "'", "''"))
	}
	return b.String()
}

// expressions are those of all panels.
func expressions() (all []string) {
	for _, b := range boards() {
		for _, r := range b.rows {
			for _, p := range r.panels {
				for _, s := range p.series {
					all = append(all, s.expr)
				}
			}
		}
	}
	return all
}

func write(dir string) error {
	for _, b := range boards() {
		text, err := json.MarshalIndent(b.render(), "", "  ")
		if err != nil {
			return fmt.Errorf("encode %s: %w", b.name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, b.name+".json"), append(text, '\n'), 0o644); err != nil { //nolint:gosec // no secret, and for others to read
			return fmt.Errorf("write %s: %w", b.name, err)
		}
	}
	return nil
}
