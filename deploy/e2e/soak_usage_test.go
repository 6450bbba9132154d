//go:build linux

package e2e

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"

	"ringstream/schemas/topology"
)

// usage is what processes needed over a run, sample by sample.
type usage struct {
	of      []*program
	samples map[string][]need
	stored  []map[string]uint64 // bytes, by stream
}

// need is what a process needs at a time. By its goal, the size of the heap at which
// garbage is collected next, what is in use is told from what the collector leaves room for.
type need struct{ rss, goal, goroutines, files int } // kB

func newUsage(of []*program) *usage { return &usage{of: of, samples: map[string][]need{}} }

func (u *usage) take(f *fleet) {
	f.t.Helper()
	for _, p := range u.of {
		s, err := p.uses()
		if err != nil {
			f.t.Errorf("%s: %v", p.name, err)
			continue
		}
		u.samples[p.name] = append(u.samples[p.name], s)
	}
	stored := map[string]uint64{}
	for _, name := range []string{topology.RTE, topology.CallLog(0), topology.Calls, topology.Deliveries} {
		if s, err := f.js.Stream(f.t.Context(), name); err == nil {
			stored[name] = s.CachedInfo().State.Bytes
		}
	}
	u.stored = append(u.stored, stored)
}

// uses reads what the kernel and the process itself say.
func (p *program) uses() (s need, err error) {
	p.mu.Lock()
	dir := fmt.Sprintf("/proc/%d/", p.cmd.Process.Pid)
	p.mu.Unlock()
	status, err := os.ReadFile(dir + "status")
	if err != nil {
		return s, err
	}
	for line := range strings.Lines(string(status)) {
		if size, is := strings.CutPrefix(line, "VmRSS:"); is {
			s.rss, _ = strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(size), "kB")))
		}
	}
	files, err := os.ReadDir(dir + "fd")
	s.files = len(files)
	s.goroutines, _ = strconv.Atoi(p.metric("go_goroutines"))
	goal, _ := strconv.ParseFloat(p.metric("go_memstats_next_gc_bytes"), 64)
	s.goal = int(goal) >> 10
	return s, err
}

// half is the median of a part of the samples.
func half(all []need, of func(need) int) int {
	if len(all) == 0 {
		return 0
	}
	var values []int
	for _, s := range all {
		values = append(values, of(s))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func rss(s need) int        { return s.rss }
func goal(s need) int       { return s.goal }
func goroutines(s need) int { return s.goroutines }
func files(s need) int      { return s.files }

// quarter is the n-th of the samples, from 0.
func quarter(all []need, n int) []need { return all[len(all)*n/4 : len(all)*(n+1)/4] }

const (
	mostGrowth = 0.05 // of memory, from the second quarter to the last one
	// Connections come and go: so many goroutines and files more are no growth.
	fewMore = 5
)

// services adds up what the replicas of each service need: who delivers, or folds
// a partition, needs more than who stands by, and they may change places.
func (u *usage) services() *usage {
	all := newUsage(nil)
	for _, p := range u.of {
		service := p.name[:strings.LastIndexByte(p.name, '-')]
		sum, is := all.samples[service]
		if !is {
			all.of = append(all.of, &program{name: service})
			sum = make([]need, len(u.samples[p.name]))
		}
		sum = sum[:min(len(sum), len(u.samples[p.name]))]
		for i := range sum {
			s := u.samples[p.name][i]
			sum[i] = need{sum[i].rss + s.rss, sum[i].goal + s.goal, sum[i].goroutines + s.goroutines, sum[i].files + s.files}
		}
		all.samples[service] = sum
	}
	return all
}

// grown says which service needs more in the last quarter than in the second.
func (u *usage) grown() (found []string) {
	u = u.services()
	for _, p := range u.of {
		before, after := quarter(u.samples[p.name], 1), quarter(u.samples[p.name], 3)
		if a, b := half(before, rss), half(after, rss); float64(b) > float64(a)*(1+mostGrowth) {
			found = append(found, fmt.Sprintf("%s needs %d kB, and %d kB in the second quarter (%+.1f %%)", p.name, b, a, 100*float64(b-a)/float64(a)))
		}
		if a, b := half(before, goroutines), half(after, goroutines); b > a+fewMore {
			found = append(found, fmt.Sprintf("%s has %d goroutines, and had %d", p.name, b, a))
		}
		if a, b := half(before, files), half(after, files); b > a+fewMore {
			found = append(found, fmt.Sprintf("%s has %d files open, and had %d", p.name, b, a))
		}
	}
	return found
}

// table is the median of each quarter.
func (u *usage) table() string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "service and process\tRSS MB 1st\t2nd\t3rd\tlast quarter\tlast to 2nd\theap goal 2nd\tlast\tgoroutines 2nd\tlast\tfiles 2nd\tlast\t")
	sums := u.services()
	for _, p := range slices.Concat(sums.of, u.of) {
		all := slices.Concat(sums.samples[p.name], u.samples[p.name]) // it is in one of them
		fmt.Fprintf(w, "%s\t", p.name)
		for n := range 4 {
			fmt.Fprintf(w, "%.1f\t", float64(half(quarter(all, n), rss))/1024)
		}
		second, last := quarter(all, 1), quarter(all, 3)
		fmt.Fprintf(w, "%+.1f %%\t", 100*(float64(half(last, rss))/float64(max(half(second, rss), 1))-1))
		fmt.Fprintf(w, "%.1f\t%.1f\t", float64(half(second, goal))/1024, float64(half(last, goal))/1024)
		fmt.Fprintf(w, "%d\t%d\t%d\t%d\t\n", half(second, goroutines), half(last, goroutines), half(second, files), half(last, files))
	}
	_ = w.Flush() // into memory
	if n := len(u.stored); n > 0 {
		for _, name := range []string{topology.RTE, topology.CallLog(0), topology.Calls, topology.Deliveries} {
			fmt.Fprintf(&text, "%s: %.1f MB stored\n", name, float64(u.stored[n-1][name])/(1<<20))
		}
	}
	return text.String()
}

// What grows is found, and nothing else is.
func TestSoakFindsWhatGrows(t *testing.T) {
	flat := need{rss: 100_000, goroutines: 40, files: 20}
	for name, c := range map[string]struct {
		at   func(n int) need
		want int
	}{
		"nothing":            {func(int) need { return flat }, 0},
		"a start":            {func(n int) need { s := flat; s.rss -= 50_000 * max(0, 10-n) / 10; return s }, 0},
		"a peak":             {func(n int) need { s := flat; s.rss += 90_000 * (n % 4 / 3); return s }, 0},
		"memory":             {func(n int) need { s := flat; s.rss += 600 * n; return s }, 1},
		"goroutines":         {func(n int) need { s := flat; s.goroutines += n; return s }, 1},
		"files":              {func(n int) need { s := flat; s.files += n / 2; return s }, 1},
		"memory, less of it": {func(n int) need { s := flat; s.rss -= 300 * n; return s }, 0},
		"a change of places": {func(n int) need {
			s := flat
			if n >= 20 {
				s.rss, s.goroutines, s.files = 3*s.rss, 2*s.goroutines, 2*s.files
			}
			return s
		}, 0},
	} {
		u := newUsage([]*program{{name: "a-1"}, {name: "a-2"}})
		for n := range 40 {
			u.samples["a-1"] = append(u.samples["a-1"], c.at(n))
			other := flat
			if name == "a change of places" {
				other = c.at(39 - n)
			}
			u.samples["a-2"] = append(u.samples["a-2"], other)
		}
		if found := u.grown(); len(found) != c.want {
			t.Errorf("%s: %v", name, found)
		}
	}
}
