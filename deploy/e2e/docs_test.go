package e2e

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	fenced  = regexp.MustCompile("(?ms)^```.*?^```")
	linked  = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	headed  = regexp.MustCompile(`(?m)^#+ (.*)$`)
	notInID = regexp.MustCompile(`[^\p{L}\p{N}_\- ]`)
)

// pages are all Markdown files of the repository, by their paths from its root.
func pages(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	root := os.DirFS("../..")
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || path != "." && strings.HasPrefix(d.Name(), ".")) {
			return fs.SkipDir
		}
		if filepath.Ext(path) != ".md" {
			return nil
		}
		text, err := fs.ReadFile(root, path)
		found[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// anchors are the ids that a reader of Markdown gives to the headlines of a page.
func anchors(page string) map[string]bool {
	ids := map[string]bool{}
	for _, h := range headed.FindAllStringSubmatch(page, -1) {
		ids[strings.ReplaceAll(notInID.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-")] = true
	}
	return ids
}

// Every link within the repository leads somewhere, and to a headline that is there.
func TestLinksOfTheDocs(t *testing.T) {
	all := pages(t)
	if len(all) < 40 {
		t.Fatalf("only %d pages found", len(all))
	}
	for path, text := range all {
		all[path] = fenced.ReplaceAllString(text, "")
	}
	for path, text := range all {
		for _, link := range linked.FindAllStringSubmatch(text, -1) {
			if strings.Contains(link[1], "://") {
				continue
			}
			target, anchor, _ := strings.Cut(link[1], "#")
			target = filepath.Join(filepath.Dir(path), target)
			if strings.HasPrefix(link[1], "#") {
				target = path
			}
			info, err := os.Stat(filepath.Join("../..", target))
			if err != nil {
				t.Errorf("%s: %s leads nowhere", path, link[1])
				continue
			}
			if info.IsDir() {
				target = filepath.Join(target, "README.md")
			}
			if anchor != "" && !anchors(all[target])[anchor] {
				t.Errorf("%s: %s: %s has no such headline", path, link[1], target)
			}
		}
	}
}
