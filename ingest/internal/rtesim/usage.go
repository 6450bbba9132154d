package rtesim

import (
	_ "embed"
	"strings"
	"text/tabwriter"

	"github.com/kelseyhightower/envconfig"
)

//go:embed doc.go
var documentation string

const settingsFormat = `{{range .}}{{usage_key .}}	{{usage_default .}}	{{usage_description .}}
{{end}}`

// Usage is the package documentation and the settings, for people.
func Usage() string {
	var b strings.Builder
	for line := range strings.Lines(documentation) {
		if text, comment := strings.CutPrefix(line, "//"); comment {
			b.WriteString(strings.TrimPrefix(text, " "))
		}
	}
	b.WriteString("\n# Settings\n\n")
	w := tabwriter.NewWriter(&b, 0, 1, 2, ' ', 0)
	var s Settings
	_ = envconfig.Usagef(prefix, &s, w, settingsFormat) // a builder takes everything
	_ = w.Flush()
	return b.String()
}
