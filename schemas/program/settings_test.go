package program_test

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"ringstream/schemas/program"
)

// bus stands for the settings of another package.
type bus struct {
	URL      string `envconfig:"NATS_URL" default:"nats://127.0.0.1:4222" desc:"servers, comma separated"`
	Creds    string `envconfig:"NATS_CREDS" desc:"credentials file"`
	Password string `envconfig:"NATS_PASSWORD" desc:"password of NATS_USER"`
	Key      string `envconfig:"NATS_KEY" desc:"client key"`
}

func (b bus) Problems() []program.Problem {
	if strings.Contains(b.URL, "://") {
		return nil
	}
	return []program.Problem{{Setting: "NATS_URL", Wrong: b.URL + " has no scheme (password " + b.Password + ")", Want: "nats://host:port"}}
}

// lease stands for settings of a package that does not know this one.
type lease struct {
	TTL time.Duration `envconfig:"LEASE_TTL" default:"3s" desc:"how long a silent replica keeps its partitions"`
	Max int           `envconfig:"LEASE_MAX" default:"4" desc:"leases at a time"`
}

func (l lease) Invalid() map[string]string {
	bad := map[string]string{}
	if l.TTL < time.Second {
		bad["LEASE_TTL"] = "is less than 1s"
	}
	if l.Max < 1 {
		bad["LEASE_MAX"] = "is less than 1"
	}
	return bad
}

type settings struct {
	program.Common
	lease
	NATS      bus
	ClientID  string          `envconfig:"CLIENT_ID" required:"true" desc:"the application's id"`
	Secret    string          `envconfig:"CLIENT_SECRET" required:"true" desc:"the application's secret"`
	Instance  string          `envconfig:"INSTANCE" absent:"host name" desc:"name of this replica"`
	Timeout   time.Duration   `envconfig:"RING_TIMEOUT" default:"2m" desc:"close a ringing call after this long"`
	Limit     int             `envconfig:"LIMIT" default:"5" desc:"requests in flight"`
	Daily     uint            `envconfig:"DAILY" default:"250000" desc:"requests a day"`
	Rate      float64         `envconfig:"RATE" default:"20" desc:"requests a second"`
	Shadow    bool            `envconfig:"SHADOW" default:"false" desc:"do not post"`
	Spool     program.Bytes   `envconfig:"SPOOL_MAX_BYTES" default:"1GiB" desc:"largest spool"`
	Items     []string        `envconfig:"ITEMS" desc:"what to subscribe to"`
	Unrelated struct{ X int } // no setting
}

func env(t *testing.T, pairs map[string]string) {
	t.Helper()
	for name, value := range pairs {
		t.Setenv(name, value)
	}
}

func file(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestLoadReadsEveryKind(t *testing.T) {
	env(t, map[string]string{
		"HTTP_ADDR": "127.0.0.1:0", "CLIENT_ID": "abc", "CLIENT_SECRET_FILE": file(t, "s3cret\r\n"),
		"NATS_KEY_FILE": file(t, "-----BEGIN\nEND-----\n"), "RING_TIMEOUT": "90s", "LIMIT": "", "RATE": "2.5", "SHADOW": "true",
		"SPOOL_MAX_BYTES": "512MiB", "ITEMS": "user:1, queue:2,",
	})
	var got settings
	if err := program.Load(&got); err != nil {
		t.Fatal(err)
	}
	want := settings{
		Common:   program.Common{HTTPAddr: "127.0.0.1:0", LogLevel: "info", LogFormat: "json", ShutdownTimeout: 20 * time.Second},
		lease:    lease{TTL: 3 * time.Second, Max: 4},
		NATS:     bus{URL: "nats://127.0.0.1:4222", Key: "-----BEGIN\nEND-----"},
		ClientID: "abc", Secret: "s3cret", Timeout: 90 * time.Second, Limit: 5, Daily: 250000, Rate: 2.5, Shadow: true,
		Spool: 512 << 20, Items: []string{"user:1", "queue:2"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestLoadReportsEachFailure(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none")
	for name, tc := range map[string]struct {
		env  map[string]string
		want string
	}{
		"required":              {map[string]string{"CLIENT_ID": ""}, "CLIENT_ID: is required and not set; expected the application's id"},
		"required secret":       {map[string]string{"CLIENT_SECRET": ""}, "CLIENT_SECRET: is required and not set; expected the application's secret"},
		"duration":              {map[string]string{"RING_TIMEOUT": "2"}, `RING_TIMEOUT: "2" cannot be read; expected a duration such as "30s" or "2m"`},
		"int":                   {map[string]string{"LIMIT": "many"}, `LIMIT: "many" cannot be read; expected a whole number`},
		"uint":                  {map[string]string{"DAILY": "-1"}, `DAILY: "-1" cannot be read; expected a whole number, zero or more`},
		"float":                 {map[string]string{"RATE": "fast"}, `RATE: "fast" cannot be read; expected a number`},
		"bool":                  {map[string]string{"SHADOW": "maybe"}, `SHADOW: "maybe" cannot be read; expected true or false`},
		"size":                  {map[string]string{"SPOOL_MAX_BYTES": "1GO"}, `SPOOL_MAX_BYTES: "1GO" cannot be read: expected a size such as 1GiB, 512MiB or 1000`},
		"address":               {map[string]string{"HTTP_ADDR": "8080"}, `HTTP_ADDR: "8080" is no address to listen on; expected host:port, such as ":8080" or "127.0.0.1:0"`},
		"level":                 {map[string]string{"LOG_LEVEL": "loud"}, `LOG_LEVEL: "loud" is unknown; expected debug or info or warn or error`},
		"format":                {map[string]string{"LOG_FORMAT": "xml"}, `LOG_FORMAT: "xml" is unknown; expected json or text`},
		"negative duration":     {map[string]string{"SHUTDOWN_TIMEOUT": "-1s"}, "SHUTDOWN_TIMEOUT: is zero or less; expected more than zero"},
		"unread is told once":   {map[string]string{"SHUTDOWN_TIMEOUT": "soon"}, `SHUTDOWN_TIMEOUT: "soon" cannot be read; expected a duration such as "30s" or "2m"`},
		"value and file":        {map[string]string{"CLIENT_SECRET_FILE": "/x"}, "CLIENT_SECRET: is set, and CLIENT_SECRET_FILE too; expected one of the two"},
		"file is not there":     {map[string]string{"NATS_PASSWORD_FILE": missing}, "NATS_PASSWORD_FILE: open " + missing + ": no such file or directory; expected a readable file that holds the secret"},
		"validator of a part":   {map[string]string{"LEASE_TTL": "1ms", "LEASE_MAX": "0"}, "LEASE_TTL: is less than 1s\nLEASE_MAX: is less than 1"},
		"checker of a part":     {map[string]string{"NATS_URL": "host:4222", "NATS_PASSWORD": "hunter2"}, "NATS_URL: host:4222 has no scheme (password (redacted)); expected nats://host:port"},
		"user info in an error": {map[string]string{"NATS_URL": "u:p@host"}, "NATS_URL: (redacted)@host has no scheme (password ); expected nats://host:port"},
	} {
		t.Run(name, func(t *testing.T) {
			env(t, map[string]string{"CLIENT_ID": "abc", "CLIENT_SECRET": "topsecret"})
			env(t, tc.env)
			err := program.Load(new(settings))
			var bad *program.SettingsError
			if !errors.As(err, &bad) || err.Error() != tc.want {
				t.Errorf("got:  %v\nwant: %s", err, tc.want)
			}
		})
	}
}

func TestLoadReportsAllAtOnceInOrder(t *testing.T) {
	empty := file(t, "\n")
	env(t, map[string]string{
		"HTTP_ADDR": "nowhere", "NATS_URL": "host", "NATS_PASSWORD_FILE": empty, "RING_TIMEOUT": "x", "LIMIT": "x", "SPOOL_MAX_BYTES": "x",
	})
	err := program.Load(new(settings))
	var bad *program.SettingsError
	if !errors.As(err, &bad) {
		t.Fatalf("got %v", err)
	}
	var names []string
	for _, p := range bad.Problems {
		names = append(names, p.Setting)
	}
	want := []string{"HTTP_ADDR", "NATS_URL", "NATS_PASSWORD_FILE", "CLIENT_ID", "CLIENT_SECRET", "RING_TIMEOUT", "LIMIT", "SPOOL_MAX_BYTES"}
	if !reflect.DeepEqual(names, want) {
		t.Errorf("got  %v\nwant %v", names, want)
	}
	if lines := strings.Count(err.Error(), "\n") + 1; lines != len(want) {
		t.Errorf("%d lines for %d settings:\n%v", lines, len(want), err)
	}
}

func TestLoadNeverShowsASecret(t *testing.T) {
	type wrong struct {
		Key int    `envconfig:"API_KEY"`
		URL checks `envconfig:"HUB_URL"`
	}
	env(t, map[string]string{"API_KEY": "7hidden7", "HUB_URL": "https://me:7hid%20den7@hub"})
	err := program.Load(new(wrong))
	if err == nil {
		t.Fatal("a secret that is no string was accepted")
	}
	for _, secret := range []string{"7hidden7", "7hid%20den7", "7hid den7"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%q is in: %v", secret, err)
		}
	}
	if got := err.Error(); !strings.Contains(got, "API_KEY") || !strings.Contains(got, "(redacted)@hub") {
		t.Errorf("the report does not name what is wrong: %v", got)
	}
}

// checks is a type whose own error repeats its value.
type checks struct{}

func (*checks) Decode(value string) error {
	return errors.New("odd: " + value + " " + strings.ReplaceAll(value, "%20", " "))
}

// REAPIT_SHARED_TOKEN is about a token, and holds none.
func TestASwitchIsNoSecret(t *testing.T) {
	type switches struct {
		Shared bool `envconfig:"SHARED_TOKEN" default:"false" desc:"shared"`
		Other  bool `envconfig:"NO_KEY"`
	}
	env(t, map[string]string{"NO_KEY": "true"})
	var got switches
	if err := program.Load(&got); err != nil || got.Shared || !got.Other {
		t.Errorf("%+v, %v", got, err)
	}
	var out strings.Builder
	if err := program.Print(&out, &got); err != nil || !strings.Contains(out.String(), "NO_KEY        true") || !strings.Contains(out.String(), "SHARED_TOKEN  false") {
		t.Errorf("%v\n%s", err, out.String())
	}
}

func TestLoadWantsAPointerToAStruct(t *testing.T) {
	for _, spec := range []any{nil, settings{}, new(int), (*settings)(nil)} {
		if err := program.Load(spec); err == nil || errors.As(err, new(*program.SettingsError)) {
			t.Errorf("Load(%T) = %v", spec, err)
		}
	}
}

func TestPrint(t *testing.T) {
	env(t, map[string]string{
		"NATS_URL": "nats://svc:pa,ss@a:4222,nats://svc:pass@b:4222", "NATS_CREDS": "/nats/user.creds", "CLIENT_SECRET_FILE": file(t, "topsecret\n"),
		"RING_TIMEOUT": "90s", "LIMIT": "many",
	})
	s := settings{Instance: "worked-out"}
	if err := program.Load(&s); err == nil {
		t.Fatal("bad settings were accepted")
	}
	var out strings.Builder
	if err := program.Print(&out, &s); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/config.txt", out.String())
}

func TestBytes(t *testing.T) {
	for text, want := range map[string]string{
		"1000": "1000", "0": "0", "1GiB": "1GiB", "512MiB": "512MiB", "1024 MiB": "1GiB", "64kB": "64000", "1KB": "1000", "2 tib": "2TiB", "1024B": "1KiB",
		"": "error", "GiB": "error", "-1": "error", "1.5GiB": "error", "1GiBB": "error", "8388608TiB": "error", "8388607TiB": "8388607TiB",
	} {
		var b program.Bytes
		got := "error"
		if err := b.Decode(text); err == nil {
			got = b.String()
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

func TestBounds(t *testing.T) {
	for _, rate := range []float64{0, 0.5, 21, math.Inf(1), math.Inf(-1), math.NaN()} {
		if found := program.Within("RATE", rate, 1, 20); len(found) != 1 || !strings.HasSuffix(found[0].String(), "; expected 1 to 20") {
			t.Errorf("%v: %v", rate, found)
		}
	}
	for ttl, ok := range map[time.Duration]bool{0: false, time.Second / 2: false, time.Second: true, 1500 * time.Millisecond: false, 5 * time.Minute: true, 5*time.Minute + time.Second: false} {
		if found := program.LeaseTTL(ttl); (len(found) == 0) != ok {
			t.Errorf("%s: %v", ttl, found)
		}
	}
	if found := program.Within("RATE", 20.0, 1, 20); len(found) != 0 {
		t.Error(found)
	}
}
