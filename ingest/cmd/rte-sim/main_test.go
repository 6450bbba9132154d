package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ringstream/ingest/internal/rtesim"
	"ringstream/schemas/program"
)

func TestServe(t *testing.T) {
	settings := rtesim.Defaults()
	settings.AddrFile = filepath.Join(t.TempDir(), "address")
	ctx, stop := context.WithCancel(t.Context())
	read, write := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := serve(ctx, settings, write)
		_ = write.CloseWithError(err)
		ended <- err
	}()
	line, err := bufio.NewReader(read).ReadString('\n') // it listens
	if err != nil {
		t.Fatal(err)
	}
	url := line[strings.LastIndex(line, " ")+1:]
	if written, err := os.ReadFile(settings.AddrFile); err != nil || string(written) != url {
		t.Errorf("the file says %q (%v), the line %q", written, err, url)
	}
	res, err := http.Get(strings.TrimSpace(url) + "/control/connections")
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

func TestCommandLine(t *testing.T) {
	for name, tt := range map[string]struct {
		args     []string
		env      map[string]string
		code     int
		out, err []string
	}{
		"help": {
			args: []string{"--help"}, code: program.Clean,
			out: []string{
				"rte-sim: simulates Enreach", "RTE_SIM_ADDR_FILE", "POST /control/play", "+0s   UserCallInComing        user=jane",
			},
		},
		"an argument": {args: []string{"serve"}, code: program.BadUsage, err: []string{`unknown argument "serve"`, "rte-sim --help"}},
		"bad settings": {
			env: map[string]string{"RTE_SIM_QUEUE": "none", "RTE_SIM_COALESCE": "0"}, code: program.BadUsage,
			err: []string{"RTE_SIM_QUEUE", "RTE_SIM_COALESCE"},
		},
		"a bad address": {env: map[string]string{"RTE_SIM_ADDR": "127.0.0.1:none"}, code: program.Failure, err: []string{"rte-sim: listen"}},
	} {
		t.Run(name, func(t *testing.T) {
			for k, v := range tt.env {
				t.Setenv(k, v)
			}
			var out, complaint bytes.Buffer
			if code := tool(&out).Main(tt.args, &out, &complaint); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			for text, wants := range map[*bytes.Buffer][]string{&out: tt.out, &complaint: tt.err} {
				for _, want := range wants {
					if !strings.Contains(text.String(), want) {
						t.Errorf("%q is missing in %q", want, text)
					}
				}
				if len(wants) == 0 && text.Len() > 0 {
					t.Errorf("it said %q", text)
				}
			}
		})
	}
}
