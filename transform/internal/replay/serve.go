package replay

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"ringstream/schemas/bus"
	"ringstream/schemas/program"
	"ringstream/transform/internal/replay/page"
	"ringstream/transform/internal/replay/stream"
)

const (
	serveAbout = `serve shows the calls in a browser: a list that is kept up to date, searched by
the digits a number ends with, by user, negotiator or call; when nobody listened,
and how long rings took to Reapit; of each call the answer of explain, the way it
took, and its messages as they are. It reads the streams and changes nothing.

It listens on this machine alone, unless --listen says otherwise; then the page
wants a token, which is made anew and printed with the address, or is REPLAY_TOKEN
or in the file that REPLAY_TOKEN_FILE names. There is no TLS: beyond a network that
is trusted, put a proxy that has it before it.

Privacy: as of explain.

Exit codes: 0 ended by Ctrl-C, 2 wrong arguments or settings, the address cannot
be listened on, or no connection to NATS at the start.`

	serveExamples = `  replay serve
  replay serve --since 24h
  replay serve --server nats://nats.example:4222 --creds replay.creds
  REPLAY_TOKEN_FILE=token replay serve --listen 0.0.0.0:8099`

	serveAt    = "127.0.0.1:8099"
	serveSince = time.Hour
	mostSince  = 30 * 24 * time.Hour
)

// serving is what serve is asked.
type serving struct {
	listen  string
	since   time.Duration
	numbers bool
}

// access is a setting of serve alone.
type access struct {
	Token string `envconfig:"REPLAY_TOKEN" desc:"what opens the page of replay serve; without it a token is made where one is needed"`
}

func (c *command) serveCommand() *cobra.Command {
	var s serving
	cmd := &cobra.Command{
		Use: "serve", Short: "show the calls in a browser", Long: serveAbout, Example: serveExamples, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if s.since < time.Minute || s.since > mostSince {
				return usage("--since: %s is not between a minute and 30 days", s.since)
			}
			return c.serve(cmd.Context(), s)
		},
	}
	f := cmd.Flags()
	f.StringVar(&s.listen, "listen", serveAt, "address and port to listen on")
	f.DurationVar(&s.since, "since", serveSince, "how far the list reaches back")
	f.BoolVar(&s.numbers, "numbers", false, "show telephone numbers in full")
	return cmd
}

// serve keeps its connection: a server that goes away is waited for.
func (c *command) serve(ctx context.Context, asked serving) error {
	settings, err := c.connection.settings()
	if err != nil {
		return err
	}
	var may access
	if err := program.Load(&may); err != nil {
		return err
	}
	if may.Token == "" && !page.Loopback(asked.listen) {
		may.Token = page.NewToken()
	}
	nc, err := bus.Dial(settings.Config, Name, nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort(),
		nats.PingInterval(patience/pingsPatience), nats.MaxPingsOutstanding(pingsUnheard))
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := bus.JetStream(nc)
	if err != nil {
		return err
	}
	return c.show(ctx, js, nc.IsConnected, settings, asked, may.Token)
}

func (c *command) show(ctx context.Context, js jetstream.JetStream, connected func() bool, s Settings, asked serving, token string) error {
	rte, err := stream.RTE(ctx, js, s.Partitions)
	if err != nil {
		return err
	}
	began := time.Now()
	site, err := page.Open(ctx, js, page.Options{
		Listen: asked.listen, Token: token, Since: asked.since, Numbers: asked.numbers, RTE: rte,
		Rules: page.Rules{Limits: s.Limits, Deadlines: s.Deadlines}, Connected: connected,
		Now: func() time.Time { return c.now.Add(time.Since(began)) },
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "%s\n", site.URL())
	fmt.Fprintf(c.err, "the calls of the last %s; Ctrl-C ends it\n", asked.since)
	return site.Run(ctx)
}
