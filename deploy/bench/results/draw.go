package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
)

const (
	width  = 16 * vg.Centimeter
	height = 10 * vg.Centimeter
)

// draw plots every curve, and returns the file of each subject.
func draw(all []figure, folder string) (map[string]string, error) {
	files := map[string]string{}
	for _, of := range distinct(all, func(f figure) string { return f.Of }) {
		lines := slices.DeleteFunc(slices.Clone(all), func(f figure) bool {
			return f.Of != of || f.At == 0 || f.Unit != "ms" && f.Unit != "µs/event"
		})
		if len(lines) == 0 {
			continue
		}
		name := strings.ReplaceAll(of, " ", "-") + ".svg"
		if err := curve(of, lines, filepath.Join(folder, name)); err != nil {
			return nil, err
		}
		files[of] = name
	}
	return files, nil
}

// curve plots the medians over the sizes, both as powers of ten.
func curve(of string, figures []figure, file string) error {
	p := plot.New()
	p.Title.Text, p.Y.Label.Text = of, figures[0].Unit
	p.X.Label.Text = strings.TrimPrefix(of, "cost by ")
	if strings.HasSuffix(of, "rate") {
		p.X.Label.Text = "raw events a second"
	}
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	p.Legend.Top, p.Legend.Left = true, true
	var lines []any
	for _, name := range distinct(figures, label) {
		var points plotter.XYs
		for _, f := range figures {
			if label(f) == name {
				points = append(points, plotter.XY{X: f.At, Y: f.median()})
			}
		}
		slices.SortFunc(points, func(a, b plotter.XY) int { return int(a.X - b.X) })
		lines = append(lines, name, points)
	}
	if err := plotutil.AddLinePoints(p, lines...); err != nil {
		return fmt.Errorf("plot %s: %w", of, err)
	}
	if err := p.Save(width, height, file); err != nil {
		return fmt.Errorf("plot %s: %w", of, err)
	}
	return nil
}

func label(f figure) string { return f.Run + ", " + f.Name }
