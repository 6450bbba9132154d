package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/coder/websocket"

	"ringstream/ingest/internal/rte"
)

// What can be wrong with the hub.
var (
	ErrUnauthorized = errors.New("the hub refused the token")
	ErrUnreachable  = errors.New("the hub gave no usable answer")
	ErrMalformed    = errors.New("the hub's answer is not understood")
	ErrRefused      = errors.New("the hub refused")
)

const negotiationLimit = 64 << 10

// dial negotiates and opens the WebSocket, which takes messages up to limit. The token goes into a header: in the
// URL it would appear in error texts and in logs of proxies.
func dial(ctx context.Context, client *http.Client, grant rte.Grant, limit int64) (*websocket.Conn, string, error) {
	header := http.Header{"Authorization": {"Bearer " + string(grant.Token)}}
	negotiated, err := negotiate(ctx, client, grant, header)
	if err != nil {
		return nil, "", err
	}
	address := grant.Hub + "?id=" + url.QueryEscape(negotiated.ID())
	//nolint:bodyclose // the library owns the body, and closes it
	ws, response, err := websocket.Dial(ctx, address, &websocket.DialOptions{HTTPClient: client, HTTPHeader: header})
	if err != nil {
		if response != nil && refusesToken(response.StatusCode) {
			return nil, "", fmt.Errorf("connect to the hub: %w", ErrUnauthorized)
		}
		return nil, "", fmt.Errorf("connect to the hub at %s: %w: %w", given(grant), ErrUnreachable, rte.Explain(err))
	}
	ws.SetReadLimit(limit)
	return ws, negotiated.ConnectionID, nil
}

func refusesToken(code int) bool {
	return code == http.StatusUnauthorized || code == http.StatusForbidden
}

// given names the address and where it comes from: no setting has it.
func given(grant rte.Grant) string { return grant.Hub + " (WssEndpoint of the token answer)" }

func negotiate(ctx context.Context, client *http.Client, grant rte.Grant, header http.Header) (rte.Negotiation, error) {
	var answer rte.Negotiation
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, grant.Hub+"/negotiate?negotiateVersion=1", http.NoBody)
	if err != nil {
		return answer, fmt.Errorf("negotiate with the hub: %w", ErrMalformed)
	}
	request.Header = header.Clone()
	response, err := client.Do(request)
	if err != nil {
		return answer, fmt.Errorf("negotiate with the hub at %s: %w: %w", given(grant), ErrUnreachable, rte.Explain(err))
	}
	defer func() { _ = response.Body.Close() }()
	switch code := response.StatusCode; {
	case code == http.StatusOK:
	case refusesToken(code):
		return answer, fmt.Errorf("negotiate with the hub: %w: HTTP %d", ErrUnauthorized, response.StatusCode)
	default:
		return answer, fmt.Errorf("negotiate with the hub at %s: %w: HTTP %d", given(grant), ErrUnreachable, response.StatusCode)
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, negotiationLimit)).Decode(&answer); err != nil {
		return answer, fmt.Errorf("negotiate with the hub: %w: %w", ErrMalformed, rte.Explain(err))
	}
	switch {
	case answer.Error != "":
		return answer, fmt.Errorf("negotiate with the hub: %w: %s", ErrRefused, answer.Error)
	case answer.URL != "":
		return answer, fmt.Errorf("negotiate with the hub: %w: it sends its clients to another address, which is not supported", ErrMalformed)
	case answer.ID() == "":
		return answer, fmt.Errorf("negotiate with the hub: %w: no connection id", ErrMalformed)
	}
	return answer, nil
}
