package stack

import (
	"slices"
	"strings"
	"testing"
)

func TestInherit(t *testing.T) {
	all := []string{
		"PATH=/bin", "RING_TIMEOUT=20s", "REAPIT_RATE=10", "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318",
		"NATS_URL=nats://elsewhere", "NATS_CREDS=file", "HTTP_ADDR=:80",
		"ENREACH_USERNAME=me", "RTE_SUBSCRIPTIONS=user:1", "REAPIT_CLIENT_SECRET_FILE=file",
	}
	always := all[:4]
	for name, c := range map[string]struct {
		options Options
		want    []string
	}{
		"simulated":    {Options{}, always},
		"real Enreach": {Options{RealEnreach: true}, append(slices.Clone(always), all[7], all[8])},
		"real Reapit":  {Options{RealReapit: true}, append(slices.Clone(always), all[9])},
	} {
		if got := inherit(all, c.options); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestRealSidesGetNoDemoSettings(t *testing.T) {
	next := lowestPort
	p := &planner{
		options: Options{Ingest: 1, Transform: -1, Deliver: 1, RealEnreach: true, RealReapit: true, Env: map[string][]string{"deliver-1": {"REAPIT_RATE=1"}}},
		port:    func() (int, error) { next++; return next, nil },
	}
	sims, err := p.sims()
	if err != nil || len(sims) != 0 {
		t.Errorf("simulators %v, %v", sims, err)
	}
	services, err := p.services("")
	if err != nil || len(services) != 2 {
		t.Fatalf("services %v, %v", services, err)
	}
	for _, s := range services {
		for _, setting := range s.env {
			name, _, _ := strings.Cut(setting, "=")
			if ForEnreach(name) || ForReapit(name) || name == "RTE_SUBSCRIPTIONS" {
				t.Errorf("%s was given %s", s.name, setting)
			}
		}
	}
	if last := services[1].env[len(services[1].env)-1]; last != "REAPIT_RATE=1" {
		t.Errorf("the last setting of deliver-1 is %s", last)
	}
}

func TestRealDataIsKeptApart(t *testing.T) {
	seen := map[string]bool{}
	for _, enreach := range []bool{false, true} {
		for _, reapit := range []bool{false, true} {
			seen[Options{Dir: "d", RealEnreach: enreach, RealReapit: reapit}.store()] = true
		}
	}
	if len(seen) != 4 {
		t.Errorf("stores %v", seen)
	}
}
