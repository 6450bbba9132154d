package verify

import (
	"fmt"
	"maps"
	"regexp"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common/util"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"
)

// odd is a minimal installation with further values.
func odd(t *testing.T, values string) installation {
	t.Helper()
	return installation{values: util.MergeTables(parsed(t, values), read[object](t, "values/minimal.yaml"))}
}

func parsed(t *testing.T, values string) (given object) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(values), &given); err != nil {
		t.Fatal(err)
	}
	return given
}

// settingsIn are those of each workload of an installation; none has one twice.
func settingsIn(t *testing.T, one installation) map[string]map[string]string {
	t.Helper()
	all := map[string]map[string]string{}
	for _, o := range objects(t, one) {
		meta, pod := podOf(o)
		if pod == nil {
			continue
		}
		name := meta.Labels["app.kubernetes.io/component"]
		all[name] = map[string]string{}
		for _, e := range pod.Containers[0].Env {
			if _, twice := all[name][e.Name]; twice {
				t.Errorf("%s is given %s twice", name, e.Name)
			}
			all[name][e.Name] = e.Value
		}
	}
	return all
}

// Whatever Helm takes as a release's name is one that a server takes, too, or is refused.
func TestNamesOfReleases(t *testing.T) {
	values := odd(t, "{simulators: {enabled: true}, metrics: {serviceMonitor: {enabled: true}}}").values
	for _, name := range []string{
		"a.b", "true", "null", "x", "ringstream", "ringstream.prod", strings.Repeat("long-", 10) + "ish",
		strings.Repeat("x", 39) + ".y", strings.Repeat("x", 38) + ".-y",
	} {
		files, err := templates(name, maps.Clone(values))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for path, text := range files {
			if !strings.HasSuffix(path, ".yaml") {
				continue
			}
			for _, document := range split(t, text) {
				accepted(t, document)
			}
		}
	}
	for _, name := range []string{"1st", "2026"} {
		if _, err := templates(name, maps.Clone(values)); err == nil || !strings.Contains(err.Error(), "fullnameOverride") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Numbers, and names that look like something else, arrive as they are written.
func TestValuesArriveAsTheyAre(t *testing.T) {
	one := odd(t, `
settings: {REAPIT_DAILY: 1000000, DELIVER_SHADOW: true, LOG_LEVEL: debug, GOMEMLIMIT: 1GiB}
nats: {credentials: {existingSecret: "007", userKey: "on"}}
provision: {deadlineSeconds: 1000000}
enreach: {existingSecret: "1e3", usernameKey: "null", subscriptionsConfigMap: "17"}
reapit: {existingSecret: "yes", tenantsConfigMap: "0x1"}
ingest: {spool: {maxBytes: "1073741824", storageClassName: "1"}, priorityClassName: "2"}
deliver: {settings: {DELIVER_SHADOW: false, REAPIT_RATE: 0.5, LOG_LEVEL: ""}}
`)
	in := settingsIn(t, one)
	for name, want := range map[string]string{"REAPIT_DAILY": "1000000", "DELIVER_SHADOW": "false", "REAPIT_RATE": "0.5", "LOG_LEVEL": "", "GOMEMLIMIT": "1GiB"} {
		if got := in["deliver"][name]; got != want {
			t.Errorf("deliver is given %s=%s, expected %s", name, got, want)
		}
	}
	if got := in["ingest"]["SPOOL_MAX_BYTES"]; got != "1073741824" || in["ingest"]["DELIVER_SHADOW"] != "true" {
		t.Errorf("ingest is given %v", in["ingest"])
	}
}

// What a value of the chart says, probes, volumes and policies go by: a setting that says otherwise is refused.
func TestSettingsLeaveTheChartItsOwn(t *testing.T) {
	const protected = "nats: {credentials: {existingSecret: nats}, tls: {existingSecret: tls}}"
	for component, settings := range settingsIn(t, odd(t, protected)) {
		for name := range settings {
			if strings.HasSuffix(name, "_KEY") || name == "GOMEMLIMIT" || strings.HasSuffix(component, "-check") {
				continue
			}
			if component == "provision" && !strings.HasPrefix(name, "NATS_") {
				continue // the services may be told to create what they miss
			}
			given := fmt.Sprintf("%s\n%s: {settings: {%s: x}}", protected, component, name)
			if _, err := render(odd(t, given).values); err == nil || !strings.Contains(err.Error(), name+" is the chart's to set") {
				t.Errorf("%s, settings.%s: %v", component, name, err)
			}
		}
	}
}

// A collector that is told of less memory than there is does nothing but collect.
func TestGoKnowsItsMemory(t *testing.T) {
	for limit, want := range map[string]string{
		"384Mi": "345MiB", "1.5Gi": "1382MiB", "1Gi": "921MiB", "512M": "439MiB", "2G": "1716MiB", "400000Ki": "351MiB", "536870912": "460MiB", `"536870912"`: "460MiB",
	} {
		if got := settingsIn(t, odd(t, "transform: {resources: {limits: {memory: "+limit+"}}}"))["transform"]["GOMEMLIMIT"]; got != want {
			t.Errorf("of %s: %s, expected %s", limit, got, want)
		}
	}
	if got, has := settingsIn(t, odd(t, "transform: {resources: {limits: {memory: null}}}"))["transform"]["GOMEMLIMIT"]; has {
		t.Errorf("without a limit: %s", got)
	}
}

// NATS is let through wherever it is said to be.
func TestNetworkFollowsTheURL(t *testing.T) {
	for url, want := range map[string]string{
		"nats://nats": "4222", "nats:4333": "4333", "tls://nats-0.nats:4333,tls://nats-1.nats:4333, nats://other": "4333 4222",
		"nats://[fd00::1]:4224": "4224", "nats://[fd00::4333]": "4222", "wss://nats.example": "443", "ws://nats.example/": "80",
	} {
		for _, o := range objects(t, odd(t, "nats: {url: '"+url+"'}")) {
			policy, ok := o.(*networkingv1.NetworkPolicy)
			if !ok || !strings.HasSuffix(policy.Name, "-transform") && !strings.HasSuffix(policy.Name, "-provision") {
				continue
			}
			if got := ports(policy.Spec.Egress[1]); got != want {
				t.Errorf("%s: %s may go to %s, expected %s", url, policy.Name, got, want)
			}
		}
	}
}

func ports(rule networkingv1.NetworkPolicyEgressRule) string {
	var all []string
	for _, port := range rule.Ports {
		all = append(all, port.Port.String())
	}
	return strings.Join(all, " ")
}

// The values that the README tells of are an installation, in which each service is a user of its own.
func TestValuesOfTheReadme(t *testing.T) {
	one := installation{values: object{}}
	blocks := strings.Split(source(t, "deploy/chart/README.md"), "```yaml\n")[1:]
	for _, block := range blocks {
		text, _, _ := strings.Cut(block, "```")
		one.values = util.MergeTables(parsed(t, text), one.values)
	}
	for _, document := range documents(t, one.values) {
		accepted(t, document)
	}
	users, made := map[string]string{}, regexp.MustCompile(`make image IMAGE_NAME=(\S+) VERSION=(\S+) `)
	for _, o := range objects(t, one) {
		meta, pod := podOf(o)
		if pod == nil {
			continue
		}
		for _, readme := range []string{"README.md", "deploy/chart/README.md"} {
			image := made.FindStringSubmatch(source(t, readme))
			if image == nil || !strings.HasPrefix(pod.Containers[0].Image, image[1]+"/") || !strings.HasSuffix(pod.Containers[0].Image, ":"+image[2]) {
				t.Errorf("%s makes %q, the chart asks for %s", readme, image, pod.Containers[0].Image)
			}
		}
		for _, e := range pod.Containers[0].Env {
			if e.Name == "NATS_USER" {
				users[meta.Labels["app.kubernetes.io/component"]] = e.ValueFrom.SecretKeyRef.Name
			}
		}
	}
	for component, role := range map[string]string{"ingest": "ingest", "transform": "transform", "deliver": "deliver", "provision": "provisioner", "ingest-check": "ingest"} {
		if users[component] != "ringstream-nats-"+role {
			t.Errorf("%s is %q", component, users[component])
		}
	}
}
