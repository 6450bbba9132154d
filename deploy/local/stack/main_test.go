package stack

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringstream/schemas/bustest"
)

// TestMain is also every program that the stack under test starts: their
// binaries are links to that of the test, and FAKE says what one is to do.
func TestMain(m *testing.M) {
	switch name := filepath.Base(os.Args[0]); name {
	case RTESim, ReapitSim, Ingest, Transform, Deliver:
		os.Exit(fake(os.Getenv("FAKE")))
	case parent:
		beParent()
	default:
		bustest.Main(m)
	}
}

func fake(what string) int {
	fmt.Println("fake begins")
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM)
	switch what {
	case "exits":
		fmt.Fprintln(os.Stderr, "settings: ENREACH_USERNAME is missing")
		return 2
	case "silent":
		return 3
	case "mute": // never listens
	default:
		go serveFake(what)
	}
	for range asked {
		if what != "stubborn" {
			fmt.Println("fake ends")
			return 0
		}
	}
	return 0
}

func serveFake(what string) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if what == "unready" {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, `{"conditions":[{"name":"hub","ok":false,"detail":"not connected"},{"name":"bus","ok":true}]}`)
		}
	})
	mux.HandleFunc("GET /control/connections", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /control/stats", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /control/directory", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"users":[{"id":"u1"},{"id":"u2"}]}`)
	})
	mux.HandleFunc("GET /env", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Join(os.Environ(), "\n")) })
	addr := os.Getenv("HTTP_ADDR")
	for _, name := range []string{"RTE_SIM_ADDR", "REAPIT_SIM_ADDR"} {
		if value := os.Getenv(name); value != "" {
			addr = value
		}
	}
	fmt.Fprintln(os.Stderr, http.ListenAndServe(addr, mux))
}

// parent is the name under which the test's binary runs a stack until it is killed.
const parent = "parent"

func beParent() {
	s, err := Start(context.Background(), Options{Dir: os.Getenv("PARENT_DIR"), Bin: filepath.Dir(os.Args[0]), NATSPort: -1, Patience: 20 * time.Second})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for _, one := range s.Services() {
		fmt.Println("pid", one.PID)
	}
	fmt.Println("started")
	fmt.Println(<-s.Failed())
}

// binaries makes a directory of links to this test's binary.
func binaries(tb testing.TB, names ...string) string {
	tb.Helper()
	self, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	dir := tb.TempDir()
	for _, name := range names {
		if err := os.Symlink(self, filepath.Join(dir, name)); err != nil {
			tb.Fatal(err)
		}
	}
	return dir
}

func fakes(tb testing.TB) Options {
	tb.Setenv("GORACE", "atexit_sleep_ms=0") // or each fake takes a second to end under the race detector
	return Options{
		Dir: tb.TempDir(), Bin: binaries(tb, RTESim, ReapitSim, Ingest, Transform, Deliver),
		NATSPort: -1, Patience: 20 * time.Second, Grace: 10 * time.Second,
	}
}
