package verify

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"sigs.k8s.io/yaml"
)

const (
	chartDir = ".."
	repoDir  = "../../.."
)

// installation is one way to install the chart.
type installation struct {
	name   string
	values common.Values
}

// installations are the defaults and every file of values.
func installations(t *testing.T) []installation {
	t.Helper()
	paths, err := filepath.Glob("values/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no values: %v", err)
	}
	all := []installation{{name: "default", values: common.Values{}}}
	for _, path := range paths {
		all = append(all, installation{strings.TrimSuffix(filepath.Base(path), ".yaml"), read[common.Values](t, path)})
	}
	return all
}

func read[T any](t *testing.T, path string) (content T) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &content); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return content
}

// capabilities are those of the newest Kubernetes that the checks know.
func capabilities() *common.Capabilities {
	caps := common.DefaultCapabilities.Copy()
	caps.KubeVersion = common.KubeVersion{Version: newest, Major: "1", Minor: strings.Split(newest, ".")[1]}
	return caps
}

// templates are the rendered files of the chart, by path.
func templates(release string, values common.Values) (map[string]string, error) {
	chart, err := loader.Load(chartDir)
	if err != nil {
		return nil, err
	}
	options := common.ReleaseOptions{Name: release, Namespace: "telephony", IsInstall: true, Revision: 1}
	all, err := util.ToRenderValues(chart, values, options, capabilities())
	if err != nil {
		return nil, err
	}
	return engine.Engine{Strict: true}.Render(chart, all)
}

// render is what helm template prints for a release calls.
func render(values common.Values) (string, error) {
	files, err := templates("calls", values)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for _, path := range slices.Sorted(maps.Keys(files)) {
		if strings.HasSuffix(path, ".yaml") {
			fmt.Fprintf(&out, "---\n%s\n", files[path])
		}
	}
	return out.String(), nil
}

// documents are the objects of what was rendered.
func documents(t *testing.T, values common.Values) [][]byte {
	t.Helper()
	text, err := render(values)
	if err != nil {
		t.Fatal(err)
	}
	return split(t, text)
}

// split takes comments between documents for none.
func split(t *testing.T, text string) (all [][]byte) {
	t.Helper()
	for document := range bytes.SplitSeq([]byte("\n"+text), []byte("\n---")) {
		var content any
		if err := yaml.Unmarshal(document, &content); err != nil {
			t.Fatalf("%v\n%s", err, document)
		}
		if content != nil {
			all = append(all, document)
		}
	}
	return all
}

// What helm lint --strict says.
func TestLint(t *testing.T) {
	for _, one := range installations(t) {
		t.Run(one.name, func(t *testing.T) {
			version := capabilities().KubeVersion
			result := lint.RunAll(chartDir, one.values, "telephony", lint.WithKubeVersion(&version))
			for _, message := range result.Messages {
				if message.Severity >= support.WarningSev {
					t.Error(message.Error())
				}
			}
		})
	}
}

// What nobody could mean is refused, by name, before anything is installed.
func TestWrongValuesAreRefused(t *testing.T) {
	for values, says := range map[string]string{
		"ingest: {replica: 3}":                                                    "'replica' not allowed",
		"ingest: {spool: {kind: hostPath}}":                                       "/ingest/spool/kind",
		"ingest: {image: {digest: latest}}":                                       "/ingest/image/digest",
		"nats: {url: \"\"}":                                                       "/nats/url",
		"nats: {partitions: 129}":                                                 "/nats/partitions",
		"nats: {streamReplicas: 2}":                                               "/nats/streamReplicas",
		"nats: {tls: {existingSecret: x, certKey: tls.crt}}":                      "/nats/tls/privateKeyKey",
		"enreach: {existingSecret: \"\"}":                                         "/enreach/existingSecret",
		"enreach: {subscriptions: {users: [jane]}}":                               "/enreach/subscriptions/users/0",
		"reapit: {tenants: {agency: {customer: SBOX}}}":                           "agency",
		"settings: {REAPIT_CLIENT_SECRET: hush}":                                  "REAPIT_CLIENT_SECRET",
		"deliver: {settings: {reapit_rate: 3}}":                                   "reapit_rate",
		"transform: {autoscaling: {enabled: true, kind: vertical}}":               "/transform/autoscaling/kind",
		"networkPolicy: {metricsFrom: []}":                                        "/networkPolicy/metricsFrom",
		"networkPolicy: {https: {ports: []}}":                                     "/networkPolicy/https",
		"nats: {url: \"nats://me:hush@nats\"}":                                    "/nats/url",
		"nats: {tls: {certKey: tls.crt, privateKeyKey: tls.key}}":                 "/nats/tls/existingSecret",
		"nats: {credentials: {userKey: username}}":                                "is a key of which Secret",
		"ingest: {spool: {maxBytes: 5GiB}}":                                       "does not fit into ingest.spool.size",
		"ingest: {spool: {size: 1Gi}}":                                            "does not fit into ingest.spool.size",
		"ingest: {podLabels: {app.kubernetes.io/instance: ours}}":                 "invalid propertyName 'app.kubernetes.io/instance'",
		"deliver: {podDisruptionBudget: {maxUnavailable: 0}}":                     "/deliver/podDisruptionBudget/maxUnavailable",
		"deliver: {podDisruptionBudget: {maxUnavailable: some}}":                  "/deliver/podDisruptionBudget/maxUnavailable",
		"networkPolicy: null":                                                     "missing property 'networkPolicy'",
		"ingest: {spool: null}":                                                   "missing property 'spool'",
		"deliver: {podDisruptionBudget: null}":                                    "missing property 'podDisruptionBudget'",
		"fullnameOverride: Calls_1":                                               "/fullnameOverride",
		"metrics: {serviceMonitor: {enabled: true}, podMonitor: {enabled: true}}": "/metrics",
		"metrics: {prometheusRule: {runbookBase: git.example}}":                   "/metrics/prometheusRule/runbookBase",
		"provision: {mode: replace}":                                              "/provision/mode",
	} {
		var given common.Values
		if err := yaml.Unmarshal([]byte(values), &given); err != nil {
			t.Fatal(err)
		}
		if _, err := render(given); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", values, err)
		}
	}
}
