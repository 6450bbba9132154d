// Package policytest makes the architecture of a module a test: which of its
// packages may import what.
//
// It owns the check, and the one rule that all modules share: no service
// imports another, and schemas imports none. What a package may import is each
// module's own decision, written in its policy_test.go. It refuses packages
// that the policy does not list and entries without a package. It reads the
// source of every file, whatever its build tags, and knows no types; the caller
// runs it in the module's folder, as go test does.
package policytest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Policy says what each package of a module may import, tests aside. A key is a
// folder of the module, "." its root, or one file, which then is not judged by
// the entries of its folder. An entry allows a package and those below it:
//
//	std              the standard library
//	net/http         this package of it
//	-math/rand       nothing of this, even where another entry allows it
//	./internal/call  a package of the same module
//	ringstream/schemas/event, github.com/nats-io/nats.go
//
// Packages made of tests only need no entry.
type Policy map[string][]string

// Pure is an entry that forbids what no import shows: asking package time for
// the time, and starting goroutines.
const Pure = "pure"

// clocks are what pure code may not use of package time.
var clocks = []string{"Now", "Since", "Until", "After", "AfterFunc", "Sleep", "Tick", "NewTimer", "NewTicker"}

// Check fails the test for everything in the module that the policy does not allow.
func Check(t *testing.T, module string, policy Policy) {
	t.Helper()
	problems, err := violations(os.DirFS("."), module, policy)
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		t.Error(problem)
	}
}

func violations(files fs.FS, module string, policy Policy) ([]string, error) {
	var out []string
	seen := map[string]bool{}
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && ignored(files, name):
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".go":
			return nil
		}
		file, err := parse(files, name)
		if err != nil {
			return err
		}
		key := policy.key(name)
		test := strings.HasSuffix(name, "_test.go")
		for _, spec := range file.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value) // the parser has checked it
			if foreign(module, imported) || !test && !policy.allows(module, key, imported) {
				out = append(out, name+" imports "+imported)
			}
		}
		if !test {
			seen[key] = true
			out = append(out, policy.impurities(key, name, file)...)
		}
		return nil
	})
	return append(out, policy.unequal(seen)...), err
}

// ignored tells folders that are not of the module, as the go command does.
func ignored(files fs.FS, dir string) bool {
	if dir == "." {
		return false
	}
	base := path.Base(dir)
	_, err := fs.Stat(files, dir+"/go.mod")
	return err == nil || base == "testdata" || base == "vendor" || base[0] == '.' || base[0] == '_'
}

func parse(files fs.FS, name string) (*ast.File, error) {
	source, err := fs.ReadFile(files, name)
	if err != nil {
		return nil, err
	}
	return parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
}

// foreign tells whether an import is of another module of ringstream than
// schemas. It holds for tests, too.
func foreign(module, imported string) bool {
	return within(imported, "ringstream") && !within(imported, module) && !within(imported, "ringstream/schemas")
}

func (p Policy) allows(module, key, imported string) bool {
	allowed := false
	for _, entry := range p[key] {
		if denied, ok := strings.CutPrefix(entry, "-"); ok && within(imported, denied) {
			return false
		}
		if own, ok := strings.CutPrefix(entry, "./"); ok {
			entry = module + "/" + own
		}
		allowed = allowed || within(imported, entry) || entry == "std" && standard(imported)
	}
	return allowed
}

// key is the entry that judges a file: its own, or that of its folder.
func (p Policy) key(name string) string {
	if _, listed := p[name]; listed {
		return name
	}
	return path.Dir(name)
}

// impurities names what a file that must be pure does all the same.
func (p Policy) impurities(key, name string, file *ast.File) []string {
	if !slices.Contains(p[key], Pure) {
		return nil
	}
	var out []string
	for _, spec := range file.Imports {
		if spec.Name != nil && spec.Path.Value == `"time"` {
			out = append(out, name+" is pure and renames time, which hides what it uses")
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			out = append(out, name+" is pure and starts a goroutine")
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clocks, n.Sel.Name) {
				out = append(out, name+" is pure and uses time."+n.Sel.Name)
			}
		}
		return true
	})
	return out
}

// unequal names what is in the module and not in the policy, and the reverse.
func (p Policy) unequal(seen map[string]bool) []string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(seen)) {
		if _, listed := p[key]; !listed {
			out = append(out, "package "+key+" is not in the policy")
		}
	}
	for _, key := range slices.Sorted(maps.Keys(p)) {
		if !seen[key] {
			out = append(out, "the policy has "+key+", the module has not")
		}
	}
	return out
}

func within(imported, root string) bool {
	return imported == root || strings.HasPrefix(imported, root+"/")
}

// standard tells the standard library by its first word, which has no dot.
func standard(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".") && first != "ringstream"
}
