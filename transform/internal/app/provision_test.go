package app

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"ringstream/schemas/bustest"
	"ringstream/schemas/program"
)

// provisioned is what the command line does with an environment.
func provisioned(t *testing.T, url string, env map[string]string, args ...string) (code int, out, problems string) {
	t.Helper()
	t.Setenv("NATS_URL", url)
	for name, value := range env {
		t.Setenv(name, value)
	}
	var stdout, stderr bytes.Buffer
	code = Program().Main(append([]string{"provision"}, args...), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

// A job creates what all services need, as often as it runs, and says what
// keeps it from that.
func TestProvisionCreatesEverythingOnce(t *testing.T) {
	url := bustest.Run(t).URL()
	missing := map[string]string{"NATS_PROVISION": "verify", "PARTITIONS": "2"}
	if code, _, problems := provisioned(t, url, missing); code != program.Failure || !strings.Contains(problems, "CALL_LOG_1; a start with NATS_PROVISION=create") {
		t.Errorf("with nothing there: exit %d, %s", code, problems)
	}
	create := map[string]string{"NATS_PROVISION": "create", "RING_TIMEOUT": "never"} // which is nobody's business here
	for range 2 {
		code, out, problems := provisioned(t, url, create)
		if code != program.Clean || problems != "" {
			t.Fatalf("exit %d, %s", code, problems)
		}
		for _, name := range []string{"stream RTE", "stream CALL_LOG_0", "stream CALL_LOG_1", "stream CALLS", "stream DELIVERIES", "stream DEADLETTERS", "bucket ringstream-leases", "bucket ringstream-negotiators"} {
			if !strings.Contains(out, "ok  "+name+"\n") {
				t.Errorf("%s is not told: %s", name, out)
			}
		}
	}
	if code, _, problems := provisioned(t, url, missing); code != program.Clean {
		t.Errorf("with everything there: exit %d, %s", code, problems)
	}
	code, out, problems := provisioned(t, url, map[string]string{"STREAM_REPLICAS": "3"})
	if told := strings.Count(out, "of 1 replicas, not the 3 of STREAM_REPLICAS: nats stream edit"); code != program.Clean || told != 8 {
		t.Errorf("with fewer replicas than asked for: exit %d, %s%s", code, out, problems)
	}
	if code, _, problems := provisioned(t, url, map[string]string{"PARTITIONS": "4"}); code != program.Failure || !strings.Contains(problems, "was created for 2 partitions") {
		t.Errorf("other partitions: exit %d, %s", code, problems)
	}
}

// What no repeating helps is said at once, and what kept it from creating when its time is over.
func TestProvisionSaysWhatItCannotCreate(t *testing.T) {
	url := bustest.Run(t).URL()
	three := map[string]string{"NATS_PROVISION": "create", "STREAM_REPLICAS": "3"}
	since := time.Now()
	if code, _, problems := provisioned(t, url, three); code != program.Failure || !strings.Contains(problems, "create stream RTE: a single server keeps one replica") {
		t.Errorf("exit %d, %s", code, problems)
	}
	if took := time.Since(since); took > provisionLimit/2 {
		t.Errorf("it took %s", took)
	}
}

func TestProvisionEndsWithoutNATS(t *testing.T) {
	if code, _, problems := provisioned(t, "nats://127.0.0.1:1", nil); code != program.Failure || !strings.Contains(problems, "is a server running there? (NATS_URL)") {
		t.Errorf("exit %d, %s", code, problems)
	}
	if code, _, _ := provisioned(t, "nats://127.0.0.1:1", nil, "again"); code != program.BadUsage {
		t.Errorf("with an argument: exit %d", code)
	}
}
