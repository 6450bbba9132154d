package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
)

// columns of the file; the first tells one row from another.
var columns = []string{"event_id", "occurred_at", "organization_id", "call_id", "caller", "called", "told"}

// book is a CSV file to which rows are added, each once.
type book struct {
	file  *os.File
	known map[string]bool
}

// openBook opens or creates a file, and takes off what a crash left of a row.
func openBook(path string) (*book, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600) //nolint:gosec // the caller of the program names it
	if err != nil {
		return nil, fmt.Errorf("open rows: %w", err)
	}
	b := &book{file: f, known: map[string]bool{}}
	if err := errors.Join(lock(f), b.load()); err != nil {
		f.Close()
		return nil, fmt.Errorf("open rows of %s: %w", path, err)
	}
	return b, nil
}

func (b *book) load() error {
	all, err := io.ReadAll(b.file)
	if err != nil {
		return err
	}
	whole := all[:bytes.LastIndexByte(all, '\n')+1]
	rows, err := csv.NewReader(bytes.NewReader(whole)).ReadAll()
	if err != nil {
		return err
	}
	for _, row := range rows {
		b.known[row[0]] = true
	}
	if len(whole) < len(all) {
		if err := b.file.Truncate(int64(len(whole))); err != nil {
			return err
		}
	}
	return b.add(columns) // unless they are there
}

// add puts a row on disk, unless it is there.
func (b *book) add(row []string) error {
	if b.known[row[0]] {
		return nil
	}
	var line bytes.Buffer
	w := csv.NewWriter(&line)
	for i := range row {
		row[i] = cell(row[i])
	}
	_ = w.Write(row) // to memory
	w.Flush()
	if _, err := b.file.Write(line.Bytes()); err != nil {
		return fmt.Errorf("write row: %w", err)
	}
	if err := b.file.Sync(); err != nil {
		return fmt.Errorf("write row: %w", err)
	}
	b.known[row[0]] = true
	return nil
}

// cell keeps a row on its line, and a spreadsheet from taking what a caller
// sends for a formula.
func cell(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
	if strings.ContainsAny(s[:min(len(s), 1)], "=-@") || strings.HasPrefix(s, "+") && strings.Trim(s[1:], "0123456789 ") != "" {
		return "'" + s
	}
	return s
}

func (b *book) close() { b.file.Close() }
