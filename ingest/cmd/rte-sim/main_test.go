package main

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringstream/ingest/internal/rtesim"
)

func TestServe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "address")
	settings := rtesim.Defaults()
	settings.AddrFile = file
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, settings) }()
	var url []byte
	for ; len(url) == 0 && ctx.Err() == nil; time.Sleep(time.Millisecond) {
		url, _ = os.ReadFile(file) // not there yet
	}
	res, err := http.Get(strings.TrimSpace(string(url)) + "/control/connections")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("status %d", res.StatusCode)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestExitCodes(t *testing.T) {
	if code := run([]string{"--help"}); code != 0 {
		t.Errorf("--help: %d", code)
	}
	if code := run([]string{"serve"}); code != exitSettings {
		t.Errorf("an argument: %d", code)
	}
	t.Setenv("RTE_SIM_QUEUE", "none")
	if code := run(nil); code != exitSettings {
		t.Errorf("bad settings: %d", code)
	}
	t.Setenv("RTE_SIM_QUEUE", "1")
	t.Setenv("RTE_SIM_ADDR", "127.0.0.1:none")
	if code := run(nil); code != exitFailure {
		t.Errorf("a bad address: %d", code)
	}
}
