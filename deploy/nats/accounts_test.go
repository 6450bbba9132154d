package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ringstream/schemas/topology"
)

// What is kept here is what is generated.
func TestUpToDate(t *testing.T) {
	dir := t.TempDir()
	values, err := os.ReadFile("values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	old := strings.Replace(string(values), "rte.*.*.*.*", "rte.>", 1)
	if old == string(values) {
		t.Fatal("values.yaml has no accounts")
	}
	if err := os.WriteFile(filepath.Join(dir, "values.yaml"), []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	if code := run([]string{"accounts", "-o", filepath.Join(dir, "accounts.conf"), "-values", filepath.Join(dir, "values.yaml")}, os.Stdout, os.Stderr); code != clean {
		t.Fatalf("exit %d", code)
	}
	for _, name := range []string{"accounts.conf", "values.yaml"} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is out of date: make gen", name)
		}
	}
}

func TestAccountsOfAnotherLayout(t *testing.T) {
	var out bytes.Buffer
	if code := run([]string{"accounts", "-partitions", "5"}, &out, os.Stderr); code != clean {
		t.Fatalf("exit %d", code)
	}
	for _, want := range []string{"calllog.4.snap", "STREAM.CREATE.CALL_LOG_4", "PARTITIONS=5"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s is not in it", want)
		}
	}
	if strings.Contains(accounts(topology.Layout{Partitions: 4, Replicas: 1}), "calllog.4") {
		t.Error("four partitions have a fifth")
	}
}

// The server finds every password in its environment.
func TestValuesHaveEveryPassword(t *testing.T) {
	values, err := os.ReadFile("values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range topology.Roles() {
		want := fmt.Sprintf("    %s: {valueFrom: {secretKeyRef: {name: ringstream-nats-users, key: %s}}}\n", passwordVariable(r), r)
		if !strings.Contains(string(values), want) {
			t.Errorf("values.yaml lacks %s", want)
		}
	}
}
