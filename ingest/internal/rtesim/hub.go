package rtesim

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"github.com/google/uuid"

	"ringstream/ingest/internal/rte"
)

const hubPath = "/rte"

// socketLimit is the largest WebSocket message that is read at all; what is too
// large for the hub is decided by record.
const socketLimit = 1 << 20

// negotiatedLimit bounds the ids that were negotiated and never connected.
const negotiatedLimit = 1024

// hub is the SignalR hub: it admits connections and hands events to those that
// subscribed them.
type hub struct {
	settings  Settings
	authority *authority
	faults    *faults
	rules     *rules
	sent      *sentLog
	book      attendances
	log       *slog.Logger
	changed   signal // connections, subscriptions or the stall
	coalesce  atomic.Int64

	turn chan struct{} // holds one: events have one order for all connections

	mu         sync.Mutex
	conns      []*conn
	negotiated []string // ids not yet connected, oldest first
	stall      time.Time
	serving    sync.WaitGroup
}

// negotiate answers POST /rte/negotiate in version 0 or 1.
func (h *hub) negotiate(w http.ResponseWriter, r *http.Request) {
	if h.faults.fails(w, "negotiate-401", "negotiate-5xx") {
		return
	}
	if _, ok := h.authority.admit(w, r); !ok {
		return
	}
	n := rte.Negotiation{
		ConnectionID: uuid.NewString(),
		Transports:   []rte.Transport{{Name: rte.TransportWebSockets, Formats: []string{"Text", "Binary"}}},
	}
	if v, err := strconv.Atoi(r.URL.Query().Get("negotiateVersion")); err == nil && v >= 1 {
		n.Version, n.ConnectionToken = 1, uuid.NewString()
	}
	h.mu.Lock()
	h.negotiated = append(h.negotiated, n.ID())
	if extra := len(h.negotiated) - negotiatedLimit; extra > 0 {
		h.negotiated = slices.Delete(h.negotiated, 0, extra)
	}
	h.mu.Unlock()
	writeJSON(w, http.StatusOK, n)
}

// redeem uses up a negotiated id. A client may also come without one.
func (h *hub) redeem(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := slices.Index(h.negotiated, id)
	if i >= 0 {
		h.negotiated = slices.Delete(h.negotiated, i, i+1)
	}
	return i >= 0 || id == ""
}

// connect answers the WebSocket request and serves the connection.
func (h *hub) connect(w http.ResponseWriter, r *http.Request) {
	if h.faults.fails(w, "connect-401", "connect-5xx") {
		return
	}
	user, ok := h.authority.admit(w, r)
	if !ok {
		return
	}
	if !h.redeem(r.URL.Query().Get("id")) {
		http.Error(w, "No Connection with that ID", http.StatusNotFound)
		return
	}
	h.serving.Add(1)
	defer h.serving.Done()
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return // Accept has answered
	}
	ws.SetReadLimit(socketLimit)
	g, _ := r.Context().Value(gateKey{}).(*gate)
	c := &conn{
		id: uuid.NewString(), user: user, hub: h, ws: ws, gate: g, since: time.Now().UTC(),
		queue: make(chan message, h.settings.Queue), ending: make(chan ending, 1), ended: make(chan struct{}),
	}
	c.serve(r.Context())
}

func (h *hub) add(c *conn) {
	h.mu.Lock()
	h.conns = append(h.conns, c)
	h.mu.Unlock()
	h.log.Info("connection opened", "connection", c.id, "user", c.user)
	h.changed.signal()
}

func (h *hub) remove(c *conn) {
	h.mu.Lock()
	h.conns = slices.DeleteFunc(h.conns, func(o *conn) bool { return o == c })
	h.mu.Unlock()
	c.over()
	h.log.Info("connection closed", "connection", c.id, "sent", c.sent.Load())
	h.changed.signal()
}

func (h *hub) list() []*conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.conns)
}

// listeners are the connections that what is sent from now on goes to.
func (h *hub) listeners() []*conn {
	return slices.DeleteFunc(h.list(), func(c *conn) bool { return c.leaves.Load() })
}

func (h *hub) setStall(d time.Duration) {
	h.mu.Lock()
	h.stall = time.Now().Add(d)
	h.mu.Unlock()
	h.changed.signal()
}

// stalledFor is how long nothing is to be written; 0 when all may be.
func (h *hub) stalledFor() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return max(0, time.Until(h.stall))
}

// publish hands an event to its subscribers, each with its own subscription,
// and returns how many there were. It waits for the slowest of them, at most
// until the socket's write times out.
func (h *hub) publish(ctx context.Context, o occurrence) (int, error) {
	if err := h.takeTurn(ctx); err != nil {
		return 0, err
	}
	defer func() { <-h.turn }()
	if h.settings.Escape {
		o.data = escapeLegacy(o.data)
	}
	n := 0
	for _, c := range h.listeners() {
		sub, ok := c.subs.find(o.key())
		if !ok {
			continue
		}
		argument := slices.Concat([]byte(`{"subscription":`), sub.json, []byte(`,"data":`), o.data, []byte(`}`))
		entry := Sent{ID: o.id, EventType: o.eventType, EntityID: o.entityID}
		if err := c.put(ctx, eventMessage(rte.CallbackMessageReceived, argument, entry)); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func (h *hub) takeTurn(ctx context.Context) error {
	select {
	case h.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func eventMessage(target string, argument []byte, entry Sent) message {
	entry.Size, entry.SHA256 = len(argument), sha256.Sum256(argument)
	return message{record: rte.AppendInvocation(nil, "", target, argument), entry: &entry}
}

// publishRaw hands verbatim bytes to the connections that want tells.
func (h *hub) publishRaw(ctx context.Context, m func() message, wants func(*conn) bool) (int, error) {
	if err := h.takeTurn(ctx); err != nil {
		return 0, err
	}
	defer func() { <-h.turn }()
	n := 0
	for _, c := range h.listeners() {
		if !wants(c) {
			continue
		}
		if err := c.put(ctx, m()); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
