package verify

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// secrets are what the secrets of an installation might hold, by key.
var secrets = map[string]string{
	"username": "telephony@agency.example", "password": "a password", "secret-key": "a secret key", "client-id": "an id", "client-secret": "a secret",
	"user.creds": "", "ca.crt": "", "tls.crt": "", "tls.key": "", // which must be real ones: they are left out
}

// mounted puts what a pod mounts under a directory of the test, in place of /etc/ringstream.
func mounted(t *testing.T, one installation, root string) {
	t.Helper()
	files := map[string]string{"config/subscriptions.yaml": "users: [aa9730c4-ce86-e611-80c9-00505689257e]", "config/tenants.yaml": "29f60000-0000-4000-8000-000000000001: {customer: SBOX}"}
	for _, o := range objects(t, one) {
		if c, ok := o.(*corev1.ConfigMap); ok {
			for name, content := range c.Data {
				if content != "{}\n" { // nothing said: the service would ask for it
					files["config/"+name] = content
				}
			}
		}
	}
	for _, dir := range []string{"nats", "nats-tls", "enreach", "reapit"} {
		for key, value := range secrets {
			files[dir+"/"+key] = value
		}
	}
	for path, content := range files {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// environment is that of a pod; said is whether its installation names a customer,
// without whom deliver does not start.
func environment(w workload, root string, said bool) []string {
	env := []string{"HOME=" + root}
	for _, e := range w.container().Env {
		value := e.Value
		switch {
		case e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil:
			value = secrets[e.ValueFrom.SecretKeyRef.Key]
		case e.ValueFrom != nil:
			value = "a-name"
		case strings.HasPrefix(value, "/etc/ringstream/"):
			value = root + strings.TrimPrefix(value, "/etc/ringstream")
		}
		if secrets[filepath.Base(value)] == "" && strings.HasPrefix(e.Name, "NATS_") && strings.HasPrefix(value, root) {
			continue // a file of NATS' own kinds
		}
		if e.Name == "REAPIT_CUSTOMER" && value == "" && !said {
			value = "SBOX"
		}
		env = append(env, e.Name+"="+value)
	}
	return env
}

// The services themselves find nothing wrong with the settings that the chart gives them.
func TestServicesAcceptTheirSettings(t *testing.T) {
	binaries := map[string]string{}
	for _, service := range []string{"ingest", "transform", "deliver"} {
		binaries[service] = filepath.Join(t.TempDir(), service)
		build := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-o", binaries[service], "./cmd/"+service)
		build.Dir, build.Env = filepath.Join(repoDir, service), append(os.Environ(), "GOWORK=off")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	for _, one := range installations(t) {
		root := t.TempDir()
		mounted(t, one, root)
		for _, w := range workloads(t) {
			binary, runs := binaries[w.service()]
			if w.installation != one.name || !runs {
				continue
			}
			config := exec.CommandContext(t.Context(), binary, "config")
			config.Env = environment(w, root, one.values["reapit"] != nil)
			if out, err := config.CombinedOutput(); err != nil {
				t.Errorf("%s, %s: %v\n%s", one.name, w.name, err, out)
			}
		}
	}
}
