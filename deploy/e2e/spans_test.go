package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"ringstream/deploy/local/stack"
)

// spans is an OTLP/HTTP receiver.
type spans struct {
	mu   sync.Mutex
	all  []exported
	text strings.Builder
}

type exported struct {
	*otlp.Span
	service string
}

func (s *spans) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var request collector.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(body, &request)
	}
	if err != nil || r.URL.Path != "/v1/traces" {
		http.Error(w, fmt.Sprintf("%s: %v", r.URL.Path, err), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.WriteString(request.String())
	for _, resource := range request.GetResourceSpans() {
		service := ""
		for _, a := range resource.GetResource().GetAttributes() {
			if a.GetKey() == "service.name" {
				service = a.GetValue().GetStringValue()
			}
		}
		for _, scope := range resource.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				s.all = append(s.all, exported{span, service})
			}
		}
	}
}

// chains are the posts that were told of, each as its services from the post
// back to where it all began, with the number of traces among them.
func (s *spans) chains() (found []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	byID := map[string]exported{}
	for _, span := range s.all {
		byID[string(span.GetSpanId())] = span
	}
	for _, post := range s.all {
		if !strings.HasPrefix(post.GetName(), "POST") {
			continue
		}
		chain, traces := "", map[string]bool{}
		for at, ok := post, true; ok; at, ok = byID[string(at.GetParentSpanId())] {
			chain += at.service + ": " + at.GetName() + " < "
			traces[string(at.GetTraceId())] = true
			if len(at.GetParentSpanId()) == 0 {
				chain += fmt.Sprintf("%d trace", len(traces))
				break
			}
		}
		found = append(found, chain)
	}
	return found
}

// What a collector is sent is, for each POST, one trace through all three
// services, which begins with the hub's message. It holds no caller's number.
func TestCollectorGetsOneTraceFromTheMessageToThePost(t *testing.T) {
	var got spans
	server := httptest.NewServer(&got)
	defer server.Close()
	env := []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + server.URL, "OTEL_BSP_SCHEDULE_DELAY=100", "OTEL_SDK_DISABLED=", "OTEL_TRACES_EXPORTER=otlp", "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", "OTEL_SERVICE_NAME="}
	r := start(t, stack.Options{Env: map[string][]string{stack.Ingest: env, stack.Transform: env, stack.Deliver: env}})
	r.play(play{Text: "-- call --\ncaller=+447700900123 called=+442071838750\n+0s UserCallInUserAllocated user=jane\n+0.1s UserCallInUserConnected user=jane\n" +
		"+0.2s UserCallInDisconnected user=jane\n", Wait: true})
	want := map[string]bool{}
	for _, call := range []string{"incoming", "answered", "ended"} {
		want["deliver: POST /notifications/ < transform: fold "+call+" < ingest: rte receive < 1 trace"] = true
	}
	r.eventually(20*time.Second, func() string { return fmt.Sprintf("%v of %v", got.chains(), want) }, func() bool {
		missing := len(want)
		for _, chain := range got.chains() {
			if want[chain] {
				missing--
			}
		}
		return missing == 0
	})
	if n := len(got.chains()); n != 3 {
		t.Errorf("%d posts", n)
	}
	got.mu.Lock()
	defer got.mu.Unlock()
	if strings.Contains(got.text.String(), "7700900123") {
		t.Error("a caller's number is in it")
	}
}
