package directory_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"ringstream/deliver/internal/directory"
)

// followed is a tenants file that a directory goes by.
type followed struct {
	*testing.T
	path string
	file *directory.File
	d    *directory.Directory
	log  *lines
}

func follow(t *testing.T, content string) *followed {
	t.Helper()
	f := &followed{T: t, path: filepath.Join(t.TempDir(), "tenants.yaml"), log: &lines{}}
	f.write(content)
	return f.begin()
}

func (f *followed) begin() *followed {
	f.Helper()
	log := slog.New(slog.NewJSONHandler(f.log, nil))
	f.file = directory.NewFile(f.path, "GB", log)
	tenants, err := f.file.Read()
	if err != nil {
		f.Fatal(err)
	}
	f.d = directory.New(&crm{list: people()}, directory.Settings{Tenants: tenants, Log: log})
	f.d.Lead(true)
	ctx, stop := context.WithCancel(f.Context())
	done := make(chan struct{})
	go func() { defer close(done); f.file.Follow(ctx, f.d) }()
	f.Cleanup(func() { stop(); <-done })
	return f
}

func (f *followed) write(content string) {
	f.Helper()
	if err := os.WriteFile(f.path, []byte(content), 0o600); err != nil {
		f.Fatal(err)
	}
}

// want is whose customer the organizations are after a while.
func (f *followed) want(after time.Duration, customers ...string) {
	f.Helper()
	time.Sleep(after)
	synctest.Wait()
	for i, organization := range []string{orgA, orgB} {
		if got := f.d.Organization(organization).Customer; got != customers[i] {
			f.Errorf("%s belongs to %q, want %q", organization, got, customers[i])
		}
	}
}

const (
	soon   = 2100 * time.Millisecond
	first  = orgA + ": {customer: RES}\n"
	second = first + orgB + ": {customer: SBOX}\n"
)

func TestATenantsFileIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := follow(t, first)
		f.want(0, "RES", "")
		f.write(second)
		f.want(soon, "RES", "SBOX")
		f.write(orgB + ": {customer: RES}\n")
		f.want(soon, "", "RES")
		told := f.log.named(t, "tenants changed")
		if len(told) != 2 || told[1]["removed"].([]any)[0] != orgA || told[1]["changed"].([]any)[0] != orgB {
			t.Errorf("%v", told)
		}
		f.want(time.Hour, "", "RES")
		if len(f.log.named(t, "tenants changed")) != 2 {
			t.Error("what has not changed is told")
		}
	})
}

// A file that is half written, and is right as far as it goes, takes nobody away.
func TestAHalfWrittenFileIsNotUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := follow(t, second)
		f.want(soon, "RES", "SBOX")
		for range 20 {
			f.write(first)
			f.want(1050*time.Millisecond, "RES", "SBOX")
			f.write(second)
			f.want(1050*time.Millisecond, "RES", "SBOX")
		}
	})
}

// As Kubernetes changes a mounted ConfigMap: a link to a folder leads elsewhere.
func TestAFileBehindALinkIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		when := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
		for name, content := range map[string]string{"..v1": orgA + ": {customer: AAA}\n", "..v2": orgA + ": {customer: BBB}\n"} {
			must(os.Mkdir(filepath.Join(dir, name), 0o700))
			must(os.WriteFile(filepath.Join(dir, name, "tenants.yaml"), []byte(content), 0o600))
			must(os.Chtimes(filepath.Join(dir, name, "tenants.yaml"), when, when)) // neither date nor size tells
		}
		must(os.Symlink("..v1", filepath.Join(dir, "..data")))
		must(os.Symlink("..data/tenants.yaml", filepath.Join(dir, "tenants.yaml")))
		f := (&followed{T: t, path: filepath.Join(dir, "tenants.yaml"), log: &lines{}}).begin()
		f.want(soon, "AAA", "")
		must(os.Symlink("..v2", filepath.Join(dir, "..data_tmp")))
		must(os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
		f.want(soon, "BBB", "")
	})
}

func TestABrokenFileChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := follow(t, second)
		told := func(want int) {
			t.Helper()
			if got := f.log.named(t, "the tenants file cannot be used; the tenants stay as they were"); len(got) != want || want > 0 && got[0]["level"] != "ERROR" {
				t.Errorf("told %d times, want %d: %v", len(got), want, got)
			}
		}
		f.want(soon, "RES", "SBOX")
		told(0)
		f.write(first + "acme: {customer: X}\n")
		f.want(soon, "RES", "SBOX")
		since, err := f.file.Trouble()
		if err == nil || time.Since(since) > soon {
			t.Error(since, err)
		}
		f.want(time.Hour, "RES", "SBOX")
		told(1)
		f.write("")
		f.want(time.Hour, "RES", "SBOX")
		told(2)
		if err := os.Remove(f.path); err != nil {
			t.Fatal(err)
		}
		f.want(time.Hour, "RES", "SBOX")
		told(3)
		if again, err := f.file.Trouble(); err == nil || !again.Equal(since) {
			t.Errorf("since %s, was %s: %v", again, since, err)
		}
		f.write(first)
		f.want(soon, "RES", "")
		if _, err := f.file.Trouble(); err != nil {
			t.Error(err)
		}
	})
}
