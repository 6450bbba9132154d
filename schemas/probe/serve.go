package probe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Serve answers probes on addr, the value of HTTP_ADDR, until stop is called.
// The end of ctx does not end it, so that a program that drains can still say
// so. It returns the address it is bound to, which tells the port where addr
// left it open. version is shown as JSON.
func Serve(ctx context.Context, addr string, board *Board, metrics prometheus.Gatherer, version any) (stop func(context.Context) error, bound string, err error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, "", fmt.Errorf("listen on HTTP_ADDR %q: %w", addr, err)
	}
	server := &http.Server{
		Handler:           Handler(board, metrics, version),
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       time.Minute,
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	stop = func(ctx context.Context) error {
		err := server.Shutdown(ctx)
		if err != nil {
			err = errors.Join(err, server.Close())
		}
		if end := <-ended; !errors.Is(end, http.ErrServerClosed) {
			err = errors.Join(err, end)
		}
		ended <- http.ErrServerClosed // a second stop finds it stopped
		return err
	}
	return stop, listener.Addr().String(), nil
}

// Handler is what Serve serves.
func Handler(board *Board, metrics prometheus.Gatherer, version any) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", conditions(board.Living, "alive", "dead"))
	mux.HandleFunc("GET /readyz", conditions(board.Ready, "ready", "not ready"))
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, version) })
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{
		EnableOpenMetrics: true, // exemplars need it; who does not ask for it gets the plain text
	}))
	return mux
}

func conditions(ask func() ([]Result, bool), good, bad string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		results, ok := ask()
		status, word := http.StatusOK, good
		if !ok {
			status, word = http.StatusServiceUnavailable, bad
		}
		answer(w, status, struct {
			Status     string   `json:"status"`
			Conditions []Result `json:"conditions"`
		}{word, results})
	}
}

func answer(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // the asker has gone: nobody to tell
}
