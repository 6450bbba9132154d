package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// story is the call: Jane is rung, answers, and the caller hangs up.
const story = `-- call --
caller=+447700900100 called=+442071838750
+0s   UserCallInComing        user=jane
+0s   UserCallInUserAllocated user=jane
+0.5s UserCallInUserConnected user=jane
+1s   UserCallInDisconnected  user=jane reason=remote
`

// told is what her screen must show of it, in order.
var told = []string{"incomingCall", "answeredCall", "endedCall"}

const (
	negotiator = "JAS"
	poll       = 100 * time.Millisecond
	quiet      = time.Second // nothing more must come within it
)

// errNoTrial means that a simulator did not do what it was asked.
var errNoTrial = errors.New("the simulator refuses")

type trial struct {
	rte, reapit string
	listeners   int
}

// notification is one that the CRM accepted.
type notification struct {
	Time         time.Time `json:"time"`
	NegotiatorID string    `json:"negotiatorId"`
	SubType      string    `json:"subType"`
}

// run plays the call and waits for what is told of it.
func (t trial) run(ctx context.Context, out io.Writer) error {
	call, err := t.ring(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "call %s rang jane@agency.example, who answered; she is %s\n", call, negotiator)
	shown, err := t.shown(ctx, call)
	for _, n := range shown {
		fmt.Fprintf(out, "%s  %-12s %s\n", n.Time.UTC().Format("15:04:05.000"), n.SubType, n.NegotiatorID)
	}
	return err
}

// ring returns when the last event of the call was sent.
func (t trial) ring(ctx context.Context) (call string, err error) {
	limit, _ := ctx.Deadline()
	patience := time.Until(limit) * 3 / 4 // so that the simulator can still say who is missing
	body, err := json.Marshal(map[string]any{
		"text": story, "subscribers": t.listeners, "all": true, "wait": true, "patience": patience.String(),
	})
	if err != nil {
		return "", err
	}
	var played struct {
		CallIDs []string `json:"callIds"`
		Error   string   `json:"error"`
	}
	if err := ask(ctx, http.MethodPost, t.rte+"/control/play", body, &played); err != nil {
		return "", fmt.Errorf("ring: %w", err)
	}
	if played.Error != "" || len(played.CallIDs) != 1 {
		return "", fmt.Errorf("ring: %w: %s", errNoTrial, played.Error)
	}
	return played.CallIDs[0], nil
}

// shown waits until all is told, and then for what is too much.
func (t trial) shown(ctx context.Context, call string) ([]notification, error) {
	var complete time.Time
	for {
		list, err := t.notifications(ctx, call)
		switch {
		case err != nil:
			return nil, err
		case len(list) < len(told):
		case complete.IsZero():
			complete = time.Now()
		case time.Since(complete) > quiet:
			return list, judge(list)
		}
		if pause(ctx) != nil {
			return list, fmt.Errorf("%w, and the time is over", judge(list))
		}
	}
}

func pause(ctx context.Context) error {
	select {
	case <-time.After(poll):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

var errWrong = errors.New("the screen did not show what it must")

func judge(list []notification) error {
	var got []string
	for _, n := range list {
		if n.NegotiatorID != negotiator {
			return fmt.Errorf("%w: %s was told to %s", errWrong, n.SubType, n.NegotiatorID)
		}
		got = append(got, n.SubType)
	}
	if !slices.Equal(got, told) {
		return fmt.Errorf("%w: expected %s, was told %q", errWrong, strings.Join(told, ", "), got)
	}
	return nil
}

func (t trial) notifications(ctx context.Context, call string) ([]notification, error) {
	var found struct{ Notifications []notification }
	if err := ask(ctx, http.MethodGet, t.reapit+"/control/notifications?callId="+url.QueryEscape(call), nil, &found); err != nil {
		return nil, fmt.Errorf("read what was shown: %w", err)
	}
	return found.Notifications, nil
}

func ask(ctx context.Context, method, address string, body []byte, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: %s: %s", errNoTrial, response.Status, bytes.TrimSpace(answer))
	}
	return json.Unmarshal(answer, into)
}
