package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// player plays the samples on Enreach's simulator.
type player struct {
	config config
	rteSim string // empty: there is nothing to play on
	tally  *tally
	say    func(string, ...any)
	paint  paint
	played []played
}

// played is a sample that was played to its end.
type played struct {
	sample
	callIDs []string
}

// run plays rounds until ctx ends. Its error is why the run is to end.
func (p *player) run(ctx context.Context) error {
	if p.rteSim == "" {
		p.say("%s\n\nwaiting for calls; Ctrl-C stops everything", header(p.paint))
		<-ctx.Done()
		return context.Cause(ctx)
	}
	for {
		if err := p.round(ctx); err != nil || p.config.once {
			return orDone(err)
		}
		if err := p.pause(ctx); err != nil {
			return err
		}
		p.played = nil
		p.tally.forget()
	}
}

func orDone(err error) error {
	if err != nil {
		return err
	}
	return errDone
}

func (p *player) pause(ctx context.Context) error {
	if p.config.every > 0 {
		p.say("\nthe same again in %s; Ctrl-C stops everything", p.config.every)
		return wait(ctx, p.config.every)
	}
	p.say("\nthat was all; Ctrl-C stops everything")
	<-ctx.Done()
	return context.Cause(ctx)
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *player) round(ctx context.Context) error {
	p.say("%s", header(p.paint))
	for _, s := range samples {
		p.say("\n%s %s", p.paint.bold("▶ "+s.scenario+":"), s.about)
		if err := p.one(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// one plays a sample. Who watches may have broken something on purpose: only a
// run that is to check ends when a sample cannot be played.
func (p *player) one(ctx context.Context, s sample) error {
	callIDs, err := p.play(ctx, s.scenario)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil && p.config.once:
		return err
	case err != nil:
		p.say("%s", p.paint.with(red, "! "+err.Error()))
		return wait(ctx, breath)
	}
	p.played = append(p.played, played{s, callIDs})
	return p.check(ctx, s, callIDs)
}

// check tells what did not come of a sample, and leaves the reader a moment.
// What comes that was not expected may come within it.
func (p *player) check(ctx context.Context, s sample, callIDs []string) error {
	wrong := p.tally.await(ctx, s, callIDs, patience)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for _, w := range wrong {
		p.say("%s", p.paint.with(red, "! "+w))
	}
	return wait(ctx, breath)
}

// play returns when the last event was sent.
func (p *player) play(ctx context.Context, scenario string) ([]string, error) {
	body, err := json.Marshal(map[string]any{
		"scenario": scenario, "speed": p.config.speed, "wait": true,
		"subscribers": p.config.options.Ingest, "all": p.config.once, "patience": patience.String(),
	})
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.rteSim+"/control/play", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("play %s: %w", scenario, err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("play %s: %w", scenario, err)
	}
	var state struct {
		CallIDs []string `json:"callIds"`
		Error   string   `json:"error"`
	}
	if err := json.Unmarshal(answer, &state); err != nil || state.Error != "" || response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("play %s: %s: %s", scenario, response.Status, strings.TrimSpace(string(answer)))
	}
	return state.CallIDs, nil
}

// summary tells what came of each sample; its error says that something did not.
func (p *player) summary(out io.Writer, took []time.Duration) error {
	fmt.Fprintf(out, "\n%-18s %8s %8s\n", "sample", "expected", "arrived")
	wrong := 0
	for _, s := range p.played {
		arrived, _ := p.tally.of(s.callIDs)
		differences := p.tally.differences(s.sample, s.callIDs)
		fmt.Fprintf(out, "%-18s %8d %8d  %s\n", s.scenario, s.total(), len(arrived), verdict(differences))
		wrong += len(differences)
	}
	if len(took) > 0 {
		slices.Sort(took)
		fmt.Fprintf(out, "from RTE event stored to POST received: median %d ms, slowest %d ms (without missed, which waits for the call to settle)\n",
			took[len(took)/2].Milliseconds(), took[len(took)-1].Milliseconds())
	}
	if wrong > 0 {
		return fmt.Errorf("not every negotiator got what was expected: %d differences", wrong)
	}
	return nil
}

func verdict(differences []string) string {
	if differences == nil {
		return "as expected, in order"
	}
	return "WRONG: " + strings.Join(differences, "; ")
}
