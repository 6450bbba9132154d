// The account of CPU time is that of Linux.

//go:build linux

package e2e

import (
	"flag"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

var (
	ringRates = flag.String("ring.rates", "50,500,5000", "raw events a second at which rings are measured")
	ringFor   = flag.Duration("ring.for", 5*time.Second, "how long each rate is kept up in each run, at least")
	ringLeast = flag.Int("ring.least", 300, "how many calls ring meanwhile, at least")
)

// A steady rate is some calls in every period, in which as many are answered and
// as many end.
const (
	ratePeriod = 60 * time.Millisecond
	rateCall   = 8 * ratePeriod / 3 // from a call's ring to its end
)

// BenchmarkRates says how long a call takes to ring at steady rates, through the
// pipeline and through the bare relay of BenchmarkRinging. A rate that the machine
// cannot carry is told as such, if half ring later than they last: then calls end before
// their rings are POSTed, which deliver therefore does not do. At any other a ring that is missing is a failure.
func BenchmarkRates(b *testing.B) {
	sample := filepath.Join(b.TempDir(), "sample.json")
	for _, text := range strings.Split(*ringRates, ",") {
		rate, err := strconv.Atoi(text)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(text, func(b *testing.B) { ringsAt(b, rate, sample) })
	}
}

func ringsAt(b *testing.B, rate int, sample string) {
	b.Helper()
	perPeriod := max(rate*int(ratePeriod.Milliseconds())/1000/len(callEvents), 1)
	periods := max(int(*ringFor/ratePeriod), *ringLeast/perPeriod)
	var bares, pipelines []ringing
	for range *ringRounds {
		p := newPipeline(b, "REAPIT_RATE=10000", "REAPIT_CONCURRENCY=1000", "REAPIT_DAILY=1000000000")
		p.unlimited()
		p.mayMiss = true
		ring(p, 4, 3, ratePeriod) // every process has worked
		through := ring(p, perPeriod, periods, ratePeriod)
		p.sample(sample)
		p.end()
		r := newBareRinger(b, sample)
		ring(r, 4, 3, ratePeriod)
		bare := ring(r, perPeriod, periods, ratePeriod)
		r.end()
		bares, pipelines = append(bares, bare.over(bare)), append(pipelines, through.over(bare))
	}
	tellRings("ring to POST by rate", ringBare, float64(rate), bares)
	tellRings("ring to POST by rate", ringRun, float64(rate), pipelines)
	tellAt("ring to POST by rate", ringRun, float64(rate), "rung", "of 1", pipelines, func(r ringing) float64 { return r.rung })
	m, bare := middleRinging(pipelines), middleRinging(bares)
	all, allBare := pooled(pipelines), pooled(bares)
	fmt.Printf("\n%d events/s: pipeline p50 %s ms, p99 %s, p99.9 %s; bare relay %s, %s, %s; p50 %.2f times the relay's\n", rate,
		inMS(m.p50), inMS(all.at(0.99)), inMS(all.at(0.999)), inMS(bare.p50), inMS(allBare.at(0.99)), inMS(allBare.at(0.999)), m.of)
	fmt.Printf("of which, p50: hub to RTE %s ms, to its log %s, to CALLS %s, to POST %s; relay %s, %s, %s, %s\n",
		inMS(m.hops[0]), inMS(m.hops[1]), inMS(m.hops[2]), inMS(m.hops[3]), inMS(bare.hops[0]), inMS(bare.hops[1]), inMS(bare.hops[2]), inMS(bare.hops[3]))
	switch {
	case m.p50 > rateCall:
		fmt.Printf("THE MACHINE CANNOT CARRY %d events/s through the pipeline: what is measured is the queue, of the %.0f%% of the rings that were not overtaken.\n", rate, 100*m.rung)
	case m.rung < 1:
		b.Errorf("%d events/s: %.4f of the calls rang", rate, m.rung)
	}
	b.ReportMetric(milliseconds(m.p50), "p50-ms")
	b.ReportMetric(milliseconds(all.at(0.99)), "p99-ms")
	b.ReportMetric(m.of, "p50-of-relay's")
	b.ReportMetric(0, "ns/op") // how long everything took says nothing
}
