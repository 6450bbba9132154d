package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	pollEvery   = 50 * time.Millisecond
	pollLimit   = 2 * time.Second
	sayAfter    = 3 * time.Second // then again every
	answerLimit = 64 << 10
)

// await returns once the process is ready; it says meanwhile what is missing.
func (p *process) await(ctx context.Context, patience time.Duration, say func(string, ...any)) error {
	l := p.present()
	if l == nil {
		return fmt.Errorf("await %s: %w", p.name, ErrNotReady)
	}
	limit, poll, news := time.NewTimer(patience), time.NewTicker(pollEvery), time.NewTicker(sayAfter)
	defer limit.Stop()
	defer poll.Stop()
	defer news.Stop()
	missing := "it does not answer"
	for {
		select {
		case <-l.done:
			return p.failure(fmt.Errorf("%w before it was ready: %s", ErrEnded, ending(l.err)))
		case <-ctx.Done():
			return fmt.Errorf("await %s: %w", p.name, context.Cause(ctx))
		case <-limit.C:
			return p.failure(fmt.Errorf("%w after %s: %s", ErrNotReady, patience, missing))
		case <-news.C:
			say("  waiting for %s: %s\n", p.name, missing)
		case <-poll.C:
			if missing = p.ask(ctx); missing == "" {
				return nil
			}
		}
	}
}

func ending(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

// ask gives what is missing to be ready, nothing when it is.
func (p *process) ask(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, pollLimit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url()+p.ready, nil)
	if err != nil {
		return err.Error()
	}
	request.Close = true // no connection outlives the question
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "it does not answer at " + p.url()
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode == http.StatusOK {
		return ""
	}
	body, _ := io.ReadAll(io.LimitReader(response.Body, answerLimit)) // half an answer tells less, not wrong
	return conditions(response.Status, body)
}

// conditions reads from the answer of /readyz what does not hold.
func conditions(status string, body []byte) string {
	var answer struct {
		Conditions []struct {
			Name, Detail string
			OK           bool
		}
	}
	_ = json.Unmarshal(body, &answer) // then there is the status
	var wrong []string
	for _, c := range answer.Conditions {
		if !c.OK {
			wrong = append(wrong, strings.TrimSuffix(c.Name+": "+c.Detail, ": "))
		}
	}
	if wrong == nil {
		return "it answers " + status
	}
	return strings.Join(wrong, "; ")
}
