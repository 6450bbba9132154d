package stack

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Names of the programs. Processes are named after them: a service's replicas
// are ingest-1, ingest-2 and so on, the simulators have no number.
const (
	Ingest    = "ingest"
	Transform = "transform"
	Deliver   = "deliver"
	RTESim    = "rte-sim"
	ReapitSim = "reapit-sim"
)

// What the simulators let in. They listen on 127.0.0.1 only, and these are
// their own defaults.
const (
	demoUser     = "demo@agency.example"
	demoKey      = "demo-secret"
	demoClient   = "demo-client"
	demoSecret   = "demo-secret"
	demoCustomer = "SBOX"
)

// plan is one process before it runs.
type plan struct {
	name, program string
	host          string // host:port
	ready         string // path that answers 200 once it is ready
	env           []string
}

func (p plan) url() string { return "http://" + p.host }

// planner works out every process's settings. It starts nothing.
type planner struct {
	options   Options
	inherited []string
	nats      string // URL
	rteSim    string // URL, empty without
	reapitSim string
	port      func() (int, error)
}

// sims plans the simulators and remembers where they will be.
func (p *planner) sims() ([]plan, error) {
	var all []plan
	if !p.options.RealEnreach {
		sim, err := p.process(RTESim, RTESim, "/control/connections")
		if err != nil {
			return nil, err
		}
		p.rteSim = sim.url()
		all = append(all, sim.with("RTE_SIM_ADDR="+sim.host, "RTE_SIM_USERNAME="+demoUser, "RTE_SIM_SECRET_KEY="+demoKey))
	}
	if !p.options.RealReapit {
		sim, err := p.process(ReapitSim, ReapitSim, "/control/stats")
		if err != nil {
			return nil, err
		}
		p.reapitSim = sim.url()
		all = append(all, sim.with("REAPIT_SIM_ADDR="+sim.host, "REAPIT_SIM_CLIENT_ID="+demoClient, "REAPIT_SIM_CLIENT_SECRET="+demoSecret))
	}
	return p.withExtra(all), nil
}

// services plans the three services; subscriptions are the simulator's users.
func (p *planner) services(subscriptions string) ([]plan, error) {
	var all []plan
	for _, s := range []struct {
		program  string
		replicas int
		settings func(name string) []string
	}{
		{Ingest, p.options.Ingest, func(name string) []string { return p.ingest(name, subscriptions) }},
		{Transform, p.options.Transform, func(name string) []string { return []string{"TRANSFORM_INSTANCE=" + name} }},
		{Deliver, p.options.Deliver, p.deliver},
	} {
		for n := range max(s.replicas, 0) {
			service, err := p.process(fmt.Sprintf("%s-%d", s.program, n+1), s.program, "/readyz")
			if err != nil {
				return nil, err
			}
			all = append(all, service.with(p.common(service)...).with(s.settings(service.name)...))
		}
	}
	return p.withExtra(all), nil
}

func (p *planner) process(name, program, ready string) (plan, error) {
	port, err := p.port()
	if err != nil {
		return plan{}, fmt.Errorf("find a port for %s: %w", name, err)
	}
	return plan{name: name, program: program, host: fmt.Sprintf("127.0.0.1:%d", port), ready: ready, env: p.inherited}, nil
}

func (p *planner) common(service plan) []string {
	return append(Settings(p.options.Guard.config(service.program, p.nats)),
		"NATS_PROVISION=verify", fmt.Sprintf("PARTITIONS=%d", p.options.Partitions),
		"HTTP_ADDR="+service.host, "LOG_FORMAT=text",
		fmt.Sprintf("SHUTDOWN_TIMEOUT=%s", p.options.Grace*3/4), // sooner than it is killed
	)
}

func (p *planner) ingest(name, subscriptions string) []string {
	env := []string{"RTE_INSTANCE=" + name, "SPOOL_DIR=" + filepath.Join(p.options.Dir, "spool", name)}
	if p.options.RealEnreach {
		return env
	}
	return append(env, "ENREACH_DISCOVERY_URL="+p.rteSim+"/api/user",
		"ENREACH_USERNAME="+demoUser, "ENREACH_SECRET_KEY="+demoKey, "RTE_SUBSCRIPTIONS="+subscriptions)
}

func (p *planner) deliver(name string) []string {
	env := []string{"DELIVER_INSTANCE=" + name}
	if p.options.RealReapit {
		return env
	}
	return append(env, "REAPIT_API_URL="+p.reapitSim, "REAPIT_TOKEN_URL="+p.reapitSim+"/oauth/token",
		"REAPIT_CLIENT_ID="+demoClient, "REAPIT_CLIENT_SECRET="+demoSecret, "REAPIT_CUSTOMER="+demoCustomer)
}

func (p *planner) withExtra(all []plan) []plan {
	for i, one := range all {
		all[i] = one.with(p.options.Env[one.program]...)
		if one.name != one.program {
			all[i] = all[i].with(p.options.Env[one.name]...)
		}
	}
	return all
}

// with adds settings; of two with one name the later counts.
func (p plan) with(env ...string) plan {
	p.env = append(p.env[:len(p.env):len(p.env)], env...)
	return p
}

// inherit keeps of an environment what may reach the processes: none of it may
// lead them to another bus than this stack's, or to a real side that is not wanted.
func inherit(environ []string, o Options) []string {
	var kept []string
	for _, setting := range environ {
		name, _, _ := strings.Cut(setting, "=")
		if !foreign(name, o) {
			kept = append(kept, setting)
		}
	}
	return kept
}

func foreign(name string, o Options) bool {
	switch {
	case name == "HTTP_ADDR", name == "STREAM_REPLICAS", strings.HasPrefix(name, "NATS_"):
		return true
	case ForEnreach(name), name == "RTE_SUBSCRIPTIONS", name == "RTE_SUBSCRIPTIONS_FILE":
		return !o.RealEnreach
	case ForReapit(name):
		return !o.RealReapit
	}
	return false
}

// ForEnreach reports whether a setting leads to the real Enreach.
func ForEnreach(name string) bool { return strings.HasPrefix(name, "ENREACH_") }

// ForReapit reports whether a setting leads to the real Reapit. Settings that only
// say how to talk to it, such as REAPIT_RATE, are as good for the simulator.
func ForReapit(name string) bool {
	switch strings.TrimSuffix(name, "_FILE") {
	case "REAPIT_API_URL", "REAPIT_TOKEN_URL", "REAPIT_CLIENT_ID", "REAPIT_CLIENT_SECRET", "REAPIT_CUSTOMER", "TENANTS":
		return true
	}
	return false
}
