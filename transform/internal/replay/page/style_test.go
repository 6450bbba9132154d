package page

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var colour = regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6})`)

// Text stands out from its ground, by day and by night: WCAG's AA asks for 4.5.
func TestContrast(t *testing.T) {
	sheet, err := files.ReadFile("assets/page.css")
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(sheet), "* { box-sizing")
	light, dark, found := strings.Cut(head, "@media (prefers-color-scheme: dark)")
	if !found {
		t.Fatal("there is no dark scheme")
	}
	for name, scheme := range map[string]string{"light": light, "dark": dark} {
		colours := map[string]float64{}
		for _, c := range colour.FindAllStringSubmatch(scheme, -1) {
			colours[c[1]] = luminance(t, c[2])
		}
		for _, pair := range [][2]string{
			{"ink", "ground"},
			{"ink", "panel"},
			{"ink", "sunken"},
			{"ink", "ring-ground"},
			{"muted", "ground"},
			{"muted", "panel"},
			{"muted", "sunken"},
			{"muted", "good-ground"},
			{"muted", "bad-ground"},
			{"link", "ground"},
			{"link", "panel"},
			{"good", "panel"},
			{"bad", "panel"},
			{"waiting", "panel"},
			{"quiet", "panel"},
			{"ring", "panel"},
			{"good", "good-ground"},
			{"bad", "bad-ground"},
			{"waiting", "waiting-ground"},
			{"quiet", "quiet-ground"},
			{"ring", "ring-ground"},
			{"ink", "good-ground"},
			{"ink", "bad-ground"},
			{"ink", "waiting-ground"},
			{"ink", "quiet-ground"},
			{"bad", "ground"},
		} {
			a, b := colours[pair[0]], colours[pair[1]]
			if contrast := (max(a, b) + 0.05) / (min(a, b) + 0.05); contrast < 4.5 {
				t.Errorf("%s: %s on %s has a contrast of %.2f", name, pair[0], pair[1], contrast)
			}
		}
	}
}

func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(hex, 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	linear := func(shift uint) float64 {
		c := float64(n>>shift&0xff) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(16) + 0.7152*linear(8) + 0.0722*linear(0)
}
