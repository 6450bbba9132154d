package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	patience = time.Minute
	poll     = 50 * time.Millisecond
)

// container is one image, unpacked.
type container struct {
	name, bundle, data string
	settings           map[string]string
	out                io.Writer
}

// try runs it until it is ready, looks at it, and asks it to stop.
func (c container) try(ctx context.Context) (err error) {
	size, err := c.contents()
	if err != nil {
		return err
	}
	if err := c.confine(); err != nil {
		return fmt.Errorf("configure: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var log bytes.Buffer
	run := exec.CommandContext(ctx, "runc", "run", "--bundle", c.bundle, "--pid-file", filepath.Join(c.bundle, "pid"), c.name) //nolint:gosec // what the caller names
	run.Stdout, run.Stderr = &log, &log
	run.Cancel = func() error { return run.Process.Signal(syscall.SIGTERM) } // which runc passes on
	begun := time.Now()
	if err := run.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- run.Wait() }()
	defer func() {
		if err != nil {
			cancel()
			err = fmt.Errorf("%w\n%s", errors.Join(err, <-ended), &log)
		}
	}()
	if err := c.ready(ctx, ended); err != nil {
		return err
	}
	took := time.Since(begun)
	if err := c.confined(); err != nil {
		return err
	}
	begun = time.Now()
	if err := run.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := <-ended; err != nil {
		ended <- nil
		return fmt.Errorf("SIGTERM: %w", err)
	}
	fmt.Fprintf(c.out, "ok  %-26s %5.1f MB  ready after %s, stopped after %s\n", c.name, float64(size)/1e6, took.Round(time.Millisecond), time.Since(begun).Round(time.Millisecond))
	return nil
}

// contents are what must be in an image, and what must not; it returns their size.
func (c container) contents() (size int64, err error) {
	root := filepath.Join(c.bundle, "rootfs")
	wanted := map[string]bool{
		"ringstream": true, "sbom.cdx.json": true, "usr/share/zoneinfo.zip": true, "etc/ssl/certs/ca-certificates.crt": true,
	}
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, _ := filepath.Rel(root, path)
		if !wanted[name] {
			return fmt.Errorf("%w: %s is in it", errImage, name)
		}
		delete(wanted, name)
		info, err := entry.Info()
		size += info.Size()
		return err
	})
	if len(wanted) > 0 {
		err = errors.Join(err, fmt.Errorf("%w: %v is not in it", errImage, wanted))
	}
	return size, err
}

// confine changes the bundle to what a restricted pod is given.
func (c container) confine() error {
	path := filepath.Join(c.bundle, "config.json")
	text, err := os.ReadFile(path) //nolint:gosec // what the caller names
	if err != nil {
		return err
	}
	var config map[string]any
	if err := json.Unmarshal(text, &config); err != nil {
		return err
	}
	process := config["process"].(map[string]any)
	process["terminal"], process["noNewPrivileges"] = false, true
	process["capabilities"], process["rlimits"] = map[string]any{}, nil
	environment := process["env"].([]any)
	for name, value := range c.settings {
		environment = append(environment, name+"="+value)
	}
	process["env"] = environment
	config["root"].(map[string]any)["readonly"] = true
	config["mounts"] = append(config["mounts"].([]any), map[string]any{
		"destination": "/var/lib/ringstream", "type": "bind", "source": c.data, "options": []string{"bind", "rw", "nosuid", "nodev", "noexec"},
	})
	linux := config["linux"].(map[string]any)
	var spaces []any
	for _, space := range linux["namespaces"].([]any) {
		if kind := space.(map[string]any)["type"]; kind != "network" && kind != "user" {
			spaces = append(spaces, space)
		}
	}
	linux["namespaces"] = spaces
	if text, err = json.Marshal(config); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

// ready waits for both probes to answer 200.
func (c container) ready(ctx context.Context, ended chan error) error {
	for {
		alive, _ := c.probe(ctx, "/healthz")
		ready, said := c.probe(ctx, "/readyz")
		if alive && ready {
			return nil
		}
		select {
		case err := <-ended:
			ended <- err
			return errors.New("it has ended")
		case <-ctx.Done():
			return fmt.Errorf("not ready: %s", said)
		case <-time.After(poll):
		}
	}
}

func (c container) probe(ctx context.Context, path string) (ok bool, said string) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.settings["HTTP_ADDR"]+path, nil)
	if err != nil {
		return false, err.Error()
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false, err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return err == nil && response.StatusCode == http.StatusOK, string(body)
}

// confined asks the kernel what the process may.
func (c container) confined() error {
	text, err := os.ReadFile(filepath.Join(c.bundle, "pid"))
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(string(text))
	if err != nil {
		return err
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return err
	}
	id := strconv.Itoa(nonroot)
	same := strings.Join([]string{id, id, id, id}, "\t")
	for _, line := range []string{"Uid:\t" + same, "Gid:\t" + same, "CapEff:\t0000000000000000", "CapPrm:\t0000000000000000", "NoNewPrivs:\t1"} {
		if !strings.Contains(string(status), line+"\n") {
			return fmt.Errorf("%w: the kernel does not say %q of it", errImage, line)
		}
	}
	mounts, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", pid))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); len(fields) > 5 && fields[4] == "/" && strings.HasPrefix(fields[5], "ro,") {
			return nil
		}
	}
	return fmt.Errorf("%w: its root can be written to", errImage)
}
