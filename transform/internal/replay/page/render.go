package page

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringstream/schemas/bus"
	"ringstream/transform/internal/replay/explain"
)

//go:embed templates/*.html
var templates embed.FS

//go:embed assets
var files embed.FS

// assets change with the program alone, but a program that is replaced must not
// be shown with the looks of the one before.
func assets() http.Handler {
	serve := http.FileServerFS(files)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
		serve.ServeHTTP(w, r)
	})
}

// pages makes HTML.
type pages struct {
	numbers  explain.Masking
	template *template.Template
}

func newPages(numbers explain.Masking) *pages {
	p := &pages{numbers: numbers}
	words := template.FuncMap{
		"number": numbers.Number, "cause": causeText, "name": explain.NameOf, "short": explain.ShortName, "took": explain.Took, "count": explain.Count,
		"shape": Shape, "tone": toneOf, "class": class, "seconds": seconds, "window": windowText,
		"stamp": func(t time.Time) string { return t.UTC().Format(explain.StoredFormat) },
		"clock": func(t time.Time) string { return t.UTC().Format(time.TimeOnly) },
		"exact": func(t time.Time) string { return t.UTC().Format(explain.OccurredFormat) },
		"day":   func(t time.Time) string { return t.UTC().Format("2 January 2006") },
		"date":  func(t time.Time) string { return t.UTC().Format(time.DateOnly) },
		"glyph": func(t Tone) string { return glyphs[t] },
		"add":   func(a, b int) int { return a + b }, "sub": func(a, b int) int { return a - b }, "mul": func(a, b int) int { return a * b },
		"first":  func(n int, all []Screen) []Screen { return all[:min(n, len(all))] },
		"more":   func(n int, all []Screen) int { return max(0, len(all)-n) },
		"unsaid": unsaid,
		"moved": func(m explain.Move) string {
			side := ""
			if m.Outbound {
				side = " (outbound)"
			}
			return fmt.Sprintf("%s%s: %s → %s", explain.NameOf(m.User), side, m.From, m.To)
		},
	}
	p.template = template.Must(template.New("").Funcs(words).ParseFS(templates, "templates/*.html"))
	return p
}

// glyphs tell the tones apart for those who see no colours.
var glyphs = map[Tone]string{Good: "✓", Waiting: "…", Quiet: "–", Bad: "✗"}

// unsaid leaves out what was said of an earlier screen.
func unsaid(all []explain.Verdict, n int) (checks []string) {
	for _, check := range all[n].Check {
		if !slices.ContainsFunc(all[:n], func(v explain.Verdict) bool { return slices.Contains(v.Check, check) }) {
			checks = append(checks, check)
		}
	}
	return checks
}

// class is a name as a class of the style sheet.
func class(s any) string { return strings.ReplaceAll(fmt.Sprint(s), " ", "-") }

// seconds is a duration as a number of milliseconds, for machines.
func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }

// windowText names a window: hour, 24 hours, 90 minutes.
func windowText(d time.Duration) string {
	switch {
	case d == time.Hour:
		return "hour"
	case d%time.Hour == 0:
		return explain.Count(int(d/time.Hour), "hour")
	case d == time.Minute:
		return "minute"
	case d%time.Minute == 0:
		return explain.Count(int(d/time.Minute), "minute")
	default:
		return explain.Took(d)
	}
}

func (p *pages) render(w io.Writer, name string, data any) error {
	if err := p.template.ExecuteTemplate(w, name, data); err != nil {
		return fmt.Errorf("render %s: %w", name, err)
	}
	return nil
}

func (p *pages) write(w http.ResponseWriter, r *http.Request, status int, page []byte, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(page)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(page) // who does not wait for it has nobody to tell
	}
}

func (p *pages) refuse(w http.ResponseWriter, r *http.Request, why refusal) {
	var out bytes.Buffer
	err := p.render(&out, "refusal", why)
	p.write(w, r, why.Status, out.Bytes(), err)
}

// message prepares one of a stream for people.
func (p *pages) message(stream string, m bus.Message) message {
	one := message{Stream: stream, Seq: m.Seq, At: m.Stored, Subject: m.Subject, Body: pretty(m.Data, p.numbers)}
	for _, name := range slices.Sorted(maps.Keys(m.Header)) {
		one.Headers = append(one.Headers, name+": "+strings.Join(m.Header[name], ", "))
	}
	return one
}

// Kind says from where to where a call went.
func (s *Summary) Kind() string {
	switch {
	case s.Outbound:
		return "outbound"
	case s.Group:
		return "group"
	default:
		return "direct"
	}
}
