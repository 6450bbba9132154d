package verify

import (
	"errors"
	"regexp"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/apis/apps"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	appsvalidation "k8s.io/kubernetes/pkg/apis/apps/validation"
	"k8s.io/kubernetes/pkg/apis/autoscaling"
	_ "k8s.io/kubernetes/pkg/apis/autoscaling/install"
	autoscalingvalidation "k8s.io/kubernetes/pkg/apis/autoscaling/validation"
	"k8s.io/kubernetes/pkg/apis/batch"
	_ "k8s.io/kubernetes/pkg/apis/batch/install"
	batchvalidation "k8s.io/kubernetes/pkg/apis/batch/validation"
	"k8s.io/kubernetes/pkg/apis/core"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	corevalidation "k8s.io/kubernetes/pkg/apis/core/validation"
	"k8s.io/kubernetes/pkg/apis/networking"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	networkingvalidation "k8s.io/kubernetes/pkg/apis/networking/validation"
	"k8s.io/kubernetes/pkg/apis/policy"
	_ "k8s.io/kubernetes/pkg/apis/policy/install"
	policyvalidation "k8s.io/kubernetes/pkg/apis/policy/validation"
	psapi "k8s.io/pod-security-admission/api"
	pspolicy "k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"
)

var (
	decoder    = serializer.NewCodecFactory(legacyscheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	errUnwired = errors.New("no validation is wired for this kind")
)

// customResource is what no API server knows by itself; the schemas are checked.
var customResource = regexp.MustCompile(`(?m)^apiVersion: (monitoring\.coreos\.com|keda\.sh)/`)

// decode is strict; custom resources are nil.
func decode(t *testing.T, document []byte) (runtime.Object, *schema.GroupVersionKind) {
	t.Helper()
	object, kind, err := decoder.Decode(document, nil, nil)
	if runtime.IsNotRegisteredError(err) && customResource.Match(document) {
		return nil, nil
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, document)
	}
	return object, kind
}

// validate is what a server does with a new object before it stores it.
func validate(object runtime.Object, kind *schema.GroupVersionKind) (field.ErrorList, error) {
	legacyscheme.Scheme.Default(object)
	internal, err := legacyscheme.Scheme.ConvertToVersion(object, schema.GroupVersion{Group: kind.Group, Version: runtime.APIVersionInternal})
	if err != nil {
		return nil, err
	}
	internal.(metav1.Object).SetNamespace("telephony")
	switch o := internal.(type) {
	case *apps.Deployment:
		return appsvalidation.ValidateDeployment(o, corevalidation.PodValidationOptions{}), nil
	case *apps.StatefulSet:
		return appsvalidation.ValidateStatefulSet(o, corevalidation.PodValidationOptions{}), nil
	case *batch.Job:
		return batchvalidation.ValidateJob(withSelector(o), batchvalidation.JobValidationOptions{}), nil
	case *core.Pod:
		return corevalidation.ValidatePodCreate(o, corevalidation.PodValidationOptions{}), nil
	case *core.Service:
		if o.Spec.ClusterIP == core.ClusterIPNone {
			o.Spec.ClusterIPs = []string{core.ClusterIPNone} // as the storage does
		}
		return corevalidation.ValidateServiceCreate(o), nil
	case *core.ConfigMap:
		return corevalidation.ValidateConfigMap(o), nil
	case *core.Namespace:
		o.Namespace = ""
		return corevalidation.ValidateNamespace(o), nil
	case *core.ServiceAccount:
		return corevalidation.ValidateServiceAccount(o), nil
	case *policy.PodDisruptionBudget:
		return policyvalidation.ValidatePodDisruptionBudget(o, policyvalidation.PodDisruptionBudgetValidationOptions{}), nil
	case *networking.NetworkPolicy:
		return networkingvalidation.ValidateNetworkPolicy(o, networkingvalidation.NetworkPolicyValidationOptions{}), nil
	case *autoscaling.HorizontalPodAutoscaler:
		return autoscalingvalidation.ValidateHorizontalPodAutoscaler(o, autoscalingvalidation.HorizontalPodAutoscalerSpecValidationOptions{}), nil
	default:
		return nil, errUnwired
	}
}

// withSelector gives a job the selector that the server would generate.
func withSelector(job *batch.Job) *batch.Job {
	manual := true
	job.Spec.ManualSelector = &manual
	job.Spec.Selector = &metav1.LabelSelector{MatchLabels: job.Spec.Template.Labels}
	return job
}

// podOf is the pod that an object is or makes.
func podOf(object runtime.Object) (*metav1.ObjectMeta, *corev1.PodSpec) {
	switch o := object.(type) {
	case *appsv1.Deployment:
		return &o.Spec.Template.ObjectMeta, &o.Spec.Template.Spec
	case *appsv1.StatefulSet:
		return &o.Spec.Template.ObjectMeta, &o.Spec.Template.Spec
	case *batchv1.Job:
		return &o.Spec.Template.ObjectMeta, &o.Spec.Template.Spec
	case *corev1.Pod:
		return &o.ObjectMeta, &o.Spec
	}
	return nil, nil
}

// An API server's own validation finds nothing wrong, and PodSecurity's restricted
// level lets every pod in.
func TestServerWouldAccept(t *testing.T) {
	for _, one := range installations(t) {
		t.Run(one.name, func(t *testing.T) {
			for _, document := range documents(t, one.values) {
				accepted(t, document)
			}
		})
	}
}

func accepted(t *testing.T, document []byte) {
	t.Helper()
	object, kind := decode(t, document)
	if object == nil {
		return
	}
	name := kind.Kind + " " + object.(metav1.Object).GetName()
	for _, refusal := range unrestricted(t, object) {
		t.Errorf("%s: PodSecurity restricted: %s", name, refusal)
	}
	wrong, err := validate(object, kind)
	if err != nil {
		t.Errorf("%s: %v", name, err)
	}
	for _, w := range wrong {
		t.Errorf("%s: %v", name, w)
	}
}

// unrestricted is what the restricted level refuses of a pod.
func unrestricted(t *testing.T, object runtime.Object) (refusals []string) {
	t.Helper()
	meta, pod := podOf(object)
	if pod == nil {
		return nil
	}
	evaluator, err := pspolicy.NewEvaluator(pspolicy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, result := range evaluator.EvaluatePod(psapi.LevelVersion{Level: psapi.LevelRestricted, Version: psapi.LatestVersion()}, meta, pod) {
		if !result.Allowed {
			refusals = append(refusals, result.ForbiddenReason+": "+result.ForbiddenDetail)
		}
	}
	return refusals
}

// brief is an object in short.
func brief(t *testing.T, flow string) []byte {
	t.Helper()
	text, err := yaml.YAMLToJSON([]byte(flow))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// What schemas let through, a server does not: the checks would see it.
func TestBrokenObjectsAreRefused(t *testing.T) {
	const labels = "metadata: {name: a, labels: {app: a}}, spec: {"
	for document, want := range map[string]string{
		"{apiVersion: v1, kind: Service, " + labels + "ports: [{port: 70000}]}}":                                                                                                                                                                        "spec.ports[0].port",
		"{apiVersion: policy/v1, kind: PodDisruptionBudget, " + labels + "minAvailable: 1, maxUnavailable: 1}}":                                                                                                                                         "spec",
		"{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, " + labels + "minReplicas: 4, maxReplicas: 2, scaleTargetRef: {kind: Deployment, name: a}}}":                                                                                       "spec.maxReplicas",
		"{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, " + labels + "podSelector: {}, egress: [{to: [{ipBlock: {cidr: 10.0.0.0/33}}]}]}}":                                                                                                     "spec.egress[0].to[0].ipBlock.cidr",
		"{apiVersion: apps/v1, kind: Deployment, " + labels + "selector: {matchLabels: {app: b}}, template: {metadata: {labels: {app: a}}, spec: {containers: [{name: a, image: a}]}}}}":                                                                "spec.template.metadata.labels",
		"{apiVersion: apps/v1, kind: StatefulSet, " + labels + "serviceName: a, selector: {matchLabels: {app: a}}, template: {metadata: {labels: {app: a}}, spec: {containers: [{name: a, image: a, volumeMounts: [{name: spool, mountPath: /s}]}]}}}}": "spec.template.spec.containers[0].volumeMounts[0].name",
		"{apiVersion: batch/v1, kind: Job, " + labels + "template: {metadata: {labels: {app: a}}, spec: {restartPolicy: Never, containers: [{name: a, image: a, resources: {requests: {memory: 2Gi}, limits: {memory: 1Gi}}}]}}}}":                      "spec.template.spec.containers[0].resources.requests",
	} {
		object, kind := decode(t, brief(t, document))
		refused, err := validate(object, kind)
		found := false
		for _, r := range refused {
			found = found || r.Field == want
		}
		if err != nil || !found {
			t.Errorf("%s: %v %v", kind.Kind, refused, err)
		}
	}
	pod, _ := decode(t, brief(t, "{apiVersion: v1, kind: Pod, "+labels+"containers: [{name: a, image: a}]}}"))
	if len(unrestricted(t, pod)) == 0 {
		t.Error("a pod without any restriction is let in")
	}
}
