package rte

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// What both sides agree on: the JSON protocol, version 1. Later versions only
// add stateful reconnect.
const (
	ProtocolName    = "json"
	ProtocolVersion = 1
)

// Negotiation is the answer to POST {hub}/negotiate.
type Negotiation struct {
	Version         int         `json:"negotiateVersion"`
	ConnectionID    string      `json:"connectionId,omitempty"`
	ConnectionToken string      `json:"connectionToken,omitempty"` // from version 1 on
	Transports      []Transport `json:"availableTransports,omitempty"`
	URL             string      `json:"url,omitempty"` // go there instead, with AccessToken
	AccessToken     string      `json:"accessToken,omitempty"`
	Error           string      `json:"error,omitempty"`
}

// Transport is one way to connect.
type Transport struct {
	Name    string   `json:"transport"`
	Formats []string `json:"transferFormats"`
}

// TransportWebSockets is the name of the only transport used here.
const TransportWebSockets = "WebSockets"

// ID is what the id parameter of the connect request must be.
func (n Negotiation) ID() string {
	if n.Version >= 1 && n.ConnectionToken != "" {
		return n.ConnectionToken
	}
	return n.ConnectionID
}

// HandshakeRequest is the first record of a client.
type HandshakeRequest struct {
	Protocol string `json:"protocol"`
	Version  int    `json:"version"`
}

// HandshakeResponse is the first record of a hub: empty when it agrees.
type HandshakeResponse struct {
	Error string `json:"error,omitempty"`
}

// ReadHandshakeRequest reads a client's first record.
func ReadHandshakeRequest(record []byte) (HandshakeRequest, error) {
	var r HandshakeRequest
	if err := json.Unmarshal(record, &r); err != nil {
		return r, fmt.Errorf("%w: handshake: %w", ErrFrame, err)
	}
	return r, nil
}

// ReadHandshakeResponse reads a hub's first record.
func ReadHandshakeResponse(record []byte) (HandshakeResponse, error) {
	var r HandshakeResponse
	if err := json.Unmarshal(record, &r); err != nil {
		return r, fmt.Errorf("%w: handshake: %w", ErrFrame, err)
	}
	return r, nil
}

// AppendHandshakeRequest appends the request for the JSON protocol.
func AppendHandshakeRequest(dst []byte) []byte {
	dst = appendField(append(dst, '{'), "protocol", ProtocolName)
	dst = strconv.AppendInt(append(dst, `,"version":`...), ProtocolVersion, 10)
	return append(dst, '}', Separator)
}

// AppendHandshakeResponse appends the hub's answer; message is empty when it
// agrees.
func AppendHandshakeResponse(dst []byte, message string) []byte {
	dst = append(dst, '{')
	if message != "" {
		dst = appendField(dst, "error", message)
	}
	return append(dst, '}', Separator)
}
