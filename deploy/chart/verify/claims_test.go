package verify

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
)

// workload is one pod of an installation.
type workload struct {
	installation, name string
	made               runtime.Object // by this
	pod                *corev1.PodSpec
	labels             map[string]string
}

func (w workload) container() corev1.Container { return w.pod.Containers[0] }

func (w workload) setting(name string) string {
	for _, e := range w.container().Env {
		if e.Name == name {
			return e.Value
		}
	}
	return ""
}

// service is the program that the pod runs, or none of the three.
func (w workload) service() string {
	return strings.TrimSuffix(w.labels["app.kubernetes.io/component"], "-check")
}

func workloads(t *testing.T) (all []workload) {
	t.Helper()
	for _, one := range installations(t) {
		for _, object := range objects(t, one) {
			if meta, pod := podOf(object); pod != nil {
				all = append(all, workload{one.name, meta.Labels["app.kubernetes.io/component"], object, pod, meta.Labels})
			}
		}
	}
	return all
}

// objects are those of an installation but the custom resources.
func objects(t *testing.T, one installation) (all []runtime.Object) {
	t.Helper()
	for _, document := range documents(t, one.values) {
		if object, _ := decode(t, document); object != nil {
			all = append(all, object)
		}
	}
	return all
}

func source(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repoDir, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// No pod can do more than its work.
func TestPodsAreConfined(t *testing.T) {
	for _, w := range workloads(t) {
		if w.pod.AutomountServiceAccountToken == nil || *w.pod.AutomountServiceAccountToken || w.pod.ServiceAccountName == "" {
			t.Errorf("%s, %s: has a token, or no account of its own", w.installation, w.name)
		}
		for _, c := range w.pod.Containers {
			if c.SecurityContext.ReadOnlyRootFilesystem == nil || !*c.SecurityContext.ReadOnlyRootFilesystem {
				t.Errorf("%s, %s: can write to its root", w.installation, w.name)
			}
			if c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() {
				t.Errorf("%s, %s: asks for no resources", w.installation, w.name)
			}
			if len(c.Command) > 0 {
				t.Errorf("%s, %s: runs %v, and its image has one program", w.installation, w.name, c.Command)
			}
		}
	}
}

var (
	settingTag   = regexp.MustCompile(`envconfig:"([A-Z_]+)"`)
	foreignNames = []string{"GOMEMLIMIT", "SSL_CERT_FILE", "OTEL_EXPORTER_OTLP_ENDPOINT"}
)

// settingsOf are the settings that a module and schemas know.
func settingsOf(t *testing.T, module string) map[string]bool {
	t.Helper()
	known := map[string]bool{}
	for _, dir := range []string{"schemas", module} {
		err := filepath.WalkDir(filepath.Join(repoDir, dir), func(path string, _ os.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, tag := range settingTag.FindAllStringSubmatch(string(text), -1) {
				known[tag[1]] = true
				known[tag[1]+"_FILE"] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return known
}

// A misspelt setting would be ignored in silence.
func TestSettingsAreKnown(t *testing.T) {
	modules := map[string]string{"ingest": "ingest", "transform": "transform", "deliver": "deliver", "provision": "transform", "rte-sim": "ingest", "reapit-sim": "deliver"}
	for _, w := range workloads(t) {
		module, runs := modules[w.service()]
		if !runs {
			continue // the trial has arguments
		}
		known := settingsOf(t, module)
		for _, e := range w.container().Env {
			if !known[e.Name] && !slices.Contains(foreignNames, e.Name) {
				t.Errorf("%s, %s: %s knows no %s", w.installation, w.name, module, e.Name)
			}
		}
	}
}

// A pod is killed only after its program would have given up by itself, and deliver
// drains for as long as a request may take.
func TestGraceFitsTheDrain(t *testing.T) {
	limit := regexp.MustCompile(`requestLimit = (\d+) \* time.Second`).FindStringSubmatch(source(t, "deliver/internal/reapit/client.go"))
	wrapUp := regexp.MustCompile(`wrapUp += (\d+) \* time.Second`).FindStringSubmatch(source(t, "deliver/internal/app/app.go"))
	if limit == nil || wrapUp == nil {
		t.Fatal("deliver does not say how long a request takes")
	}
	request, _ := strconv.Atoi(limit[1])
	store, _ := strconv.Atoi(wrapUp[1])
	for _, w := range workloads(t) {
		drain, err := time.ParseDuration(w.setting("SHUTDOWN_TIMEOUT"))
		if w.made.GetObjectKind().GroupVersionKind().Kind == "Pod" || w.setting("SHUTDOWN_TIMEOUT") == "" {
			continue
		}
		if grace := time.Duration(*w.pod.TerminationGracePeriodSeconds) * time.Second; err != nil || grace < drain+5*time.Second {
			t.Errorf("%s, %s: drains for %v, is killed after %v (%v)", w.installation, w.name, drain, grace, err)
		}
		if needs := time.Duration(request+store) * time.Second; w.name == "deliver" && drain < needs {
			t.Errorf("%s: deliver drains for %v, and a request and its outcome take %v", w.installation, drain, needs)
		}
	}
}

// What is alive is asked of the process, what is ready of its work.
func TestProbesAskWhatTheyMean(t *testing.T) {
	for _, w := range workloads(t) {
		c := w.container()
		if c.StartupProbe == nil {
			continue
		}
		if c.LivenessProbe.HTTPGet.Path != "/healthz" || c.StartupProbe.HTTPGet.Path != "/healthz" || c.ReadinessProbe.HTTPGet.Path != "/readyz" {
			t.Errorf("%s, %s: %v", w.installation, w.name, c)
		}
		if alive := c.LivenessProbe.PeriodSeconds * c.LivenessProbe.FailureThreshold; alive < 60 {
			t.Errorf("%s, %s: is restarted after %d s", w.installation, w.name, alive)
		}
	}
	for _, service := range []string{"ingest", "transform", "deliver"} {
		if !slices.ContainsFunc(workloads(t), func(w workload) bool { return w.name == service && w.container().StartupProbe != nil }) {
			t.Errorf("%s has no probes", service)
		}
	}
}

// A spool that fills up its volume would be stopped by the kubelet, not by ingest.
func TestSpoolFitsItsVolume(t *testing.T) {
	seen := 0
	for _, w := range workloads(t) {
		set, ok := w.made.(*appsv1.StatefulSet)
		if !ok {
			continue
		}
		most := resource.MustParse(strings.TrimSuffix(w.setting("SPOOL_MAX_BYTES"), "B"))
		var room resource.Quantity
		for _, claim := range set.Spec.VolumeClaimTemplates {
			room = claim.Spec.Resources.Requests[corev1.ResourceStorage]
		}
		for _, v := range w.pod.Volumes {
			if v.EmptyDir != nil {
				room = *v.EmptyDir.SizeLimit
			}
		}
		if seen++; room.Cmp(most) <= 0 {
			t.Errorf("%s: a spool of %v in a volume of %v", w.installation, &most, &room)
		}
	}
	if seen == 0 {
		t.Error("there is no spool")
	}
}

// More replicas than partitions would have nothing to do, whatever the values say.
func TestScalingEndsAtThePartitions(t *testing.T) {
	for maxReplicas, want := range map[int]int32{64: 16, 16: 16, 5: 5, 1: 1} {
		one := installation{values: read[map[string]any](t, "values/everything.yaml")}
		one.values["transform"].(object)["autoscaling"] = object{"enabled": true, "kind": "hpa", "minReplicas": 2, "maxReplicas": maxReplicas}
		found := false
		for _, o := range objects(t, one) {
			switch o := o.(type) {
			case *autoscalingv2.HorizontalPodAutoscaler:
				found = true
				if o.Spec.MaxReplicas != want || *o.Spec.MinReplicas > want {
					t.Errorf("of 16 partitions and %d replicas: %d to %d", maxReplicas, *o.Spec.MinReplicas, o.Spec.MaxReplicas)
				}
				if name := o.Spec.Metrics[0].Pods.Metric.Name; !strings.Contains(source(t, "schemas/telemetry/names.go"), `"`+name+`"`) {
					t.Errorf("nobody exports %s", name)
				}
			case *appsv1.Deployment:
				if o.Spec.Replicas != nil && strings.HasSuffix(o.Name, "-transform") {
					t.Error("an upgrade would set transform's replicas back")
				}
			}
		}
		if !found {
			t.Error("nothing scales")
		}
	}
}

// Out go DNS, NATS and, for the two that speak to the outside, HTTPS; in come those
// who read metrics; and every pod of the release is under the default of nothing.
func TestNetworkIsClosed(t *testing.T) {
	one := installation{values: read[map[string]any](t, "values/minimal.yaml")}
	want := map[string][]int{
		"calls-ringstream-ingest": {53, 443, 4222}, "calls-ringstream-transform": {53, 4222}, "calls-ringstream-deliver": {53, 443, 4222},
		"calls-ringstream-provision": {53, 4222}, "calls-ringstream-default-deny": nil,
	}
	for _, o := range objects(t, one) {
		policy, ok := o.(*networkingv1.NetworkPolicy)
		if !ok {
			continue
		}
		var out []int
		for _, rule := range policy.Spec.Egress {
			if len(rule.Ports) == 0 {
				t.Errorf("%s lets everything out", policy.Name)
			}
			for _, port := range rule.Ports {
				out = append(out, port.Port.IntValue())
			}
		}
		for _, rule := range policy.Spec.Ingress {
			if len(rule.From) == 0 || len(rule.Ports) != 1 || rule.Ports[0].Port.StrVal != "http" {
				t.Errorf("%s lets in %v", policy.Name, rule)
			}
		}
		slices.Sort(out)
		if out = slices.Compact(out); !slices.Equal(out, want[policy.Name]) || len(policy.Spec.PolicyTypes) != 2 {
			t.Errorf("%s lets out %v, expected %v", policy.Name, out, want[policy.Name])
		}
		delete(want, policy.Name)
	}
	if len(want) > 0 {
		t.Errorf("there is no policy for %v", want)
	}
	for _, w := range workloads(t) {
		if w.labels["app.kubernetes.io/name"] != "ringstream" || w.labels["app.kubernetes.io/instance"] != "calls" {
			t.Errorf("%s, %s: is under no default", w.installation, w.name)
		}
	}
}

// The trial rings the people of the simulated agency, whom ingest must listen to.
func TestAgencyIsTheSimulators(t *testing.T) {
	var users []string
	agency, _, _ := strings.Cut(source(t, "ingest/internal/rtesim/scenarios/agency.txtar"), "-- queues --")
	for _, id := range regexp.MustCompile(`(?m)^\w+ +id=(\S+)`).FindAllStringSubmatch(agency, -1) {
		users = append(users, "user:"+id[1])
	}
	for _, w := range workloads(t) {
		if w.installation == "simulators" && w.name == "ingest" {
			if got := w.setting("RTE_SUBSCRIPTIONS"); got != strings.Join(users, ",") || len(users) == 0 {
				t.Errorf("ingest listens to %s, the agency has %v", got, users)
			}
			return
		}
	}
	t.Error("there is no ingest")
}
