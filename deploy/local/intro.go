package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"ringstream/deploy/local/stack"
)

// usualNATS is where replay looks without NATS_URL.
const usualNATS = "nats://127.0.0.1:4222"

// intro prints what to try while calls are played, and how to read them.
func intro(out io.Writer, p paint, s *stack.Stack, c config) {
	line := func(command, about string) { fmt.Fprintf(out, "  %s\n      %s\n", command, p.dim(about)) }
	fmt.Fprintf(out, "\n%s\n", p.bold("Try, in another terminal"))
	if replay := filepath.Join(c.options.Bin, "replay"); exists(replay) {
		if s.NATSURL() != usualNATS {
			replay = "NATS_URL=" + s.NATSURL() + " " + replay
		}
		line(replay+" serve", "the calls in a browser, at http://127.0.0.1:8099")
		line(replay+" explain call ID", `why each screen was told of a call, or was not; the id stands above the call: "A is call …"`)
		line(replay+" explain user jane@agency.example --at 30s --within 30s", "the same of her calls around a moment")
		line(replay+" tail", "every change of every call, live")
	}
	for _, service := range s.Services() {
		if service.Program == stack.Deliver {
			line("curl -s "+service.URL+"/metrics | grep ^ringstream", "figures; /readyz says whether it works, and on what it waits")
			break
		}
	}
	if s.RTESim() != "" {
		line("curl -s "+s.RTESim()+`/control/play -d '{"scenario":"hunt-group"}'`, "one more call; GET /control/scenarios lists them")
		line("curl -s "+s.RTESim()+`/control/drop -d '{"mode":"reset"}'`, "the hub's connection breaks, also in the middle of a call")
	}
	if s.ReapitSim() != "" {
		line("curl -s "+s.ReapitSim()+`/control/faults -d '{"match":{"path":"/notifications"},"times":3,"action":{"status":503}}'`,
			"Reapit refuses the next three; deliver tries again")
	}
	line("nats -s "+s.NATSURL()+" sub 'calls.>'", "every call event, as any other service may have it; with the nats CLI, if it is installed")
	fmt.Fprintf(out, "  logs: %s\n", s.LogDir())
	fmt.Fprintf(out, "\n%s\n", p.dim(`A line is what reached the stream RTE (rte), what transform made of it (call), or what arrived at Reapit (POST).
"ms" counts from the call's first event, "took ms" from the event that caused a notification.
"group" (huntGroup at Reapit): a queue rang, or more than one person has, who a call is passed on to included.`))
}

// introEmpty says how a server is filled with what somebody has exported.
func introEmpty(out io.Writer, p paint, s *stack.Stack, c config) {
	replay := filepath.Join(c.options.Bin, "replay")
	fmt.Fprintf(out, "\n%s\n", p.bold("Then, in another terminal"))
	fmt.Fprintf(out, "  export NATS_URL=%s\n", s.NATSURL())
	fmt.Fprintf(out, "  %s import FILE\n      %s\n", replay, p.dim("which replay export has written"))
	fmt.Fprintf(out, "  %s run\n      %s\n", replay, p.dim("what comes of it; explain, diff, coverage and tail work as where it comes from"))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
