#!/usr/bin/env bash
# The chart before a real API server, and with controllers and three fake nodes, in three zones: what is accepted, and what becomes of it. Everything listens on
# 127.0.0.1 and ends with the script. The first time it builds Kubernetes, which takes minutes; it needs Go, openssl and curl.
set -euo pipefail
cd "$(dirname "$0")/../../.."
bin=$PWD/.bin/kube kubernetes=v1.36.3 kwok=v0.8.0
operator=github.com/prometheus-operator/prometheus-operator@v0.93.0 keda=github.com/kedacore/keda/v2@v2.18.0
export GOWORK=off
say() { printf '\n== %s (%ss)\n' "$1" "$SECONDS"; }
source_of() { (cd /tmp && go mod download -json "$1") | sed -n 's/.*"Dir": "\(.*\)".*/\1/p'; }

say "build"
mkdir -p "$bin"
minor=${kubernetes#v1.} minor=${minor%%.*}
go -C deploy/tools/kube build -o "$bin/" \
	-ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$kubernetes -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=$minor" \
	k8s.io/kubernetes/cmd/{kube-apiserver,kube-controller-manager,kube-scheduler,kubectl} helm.sh/helm/v4/cmd/helm
go -C deploy/tools/kube build -ldflags '-s -w' -o "$bin/etcd" go.etcd.io/etcd/server/v3
go -C deploy/chart/verify vet .
[ -x "$bin/kwok" ] || GOBIN=$bin go install "sigs.k8s.io/kwok/cmd/kwok@$kwok"

state=$(mktemp -d)
pids=()
down() {
	local code=$?
	[ $code -eq 0 ] || "$bin/kubectl" get pods,events --request-timeout=5s >&2 || true
	for pid in "${pids[@]}"; do kill -9 "$pid" 2>/dev/null || true; done # nothing of theirs is kept
	wait 2>/dev/null || true
	rm -rf "$state"
	exit $code
}
trap down EXIT
start() {
	local name=$1
	shift
	"$bin/$name" "$@" > "$state/$name.log" 2>&1 &
	pids+=($!)
}
until_ok() { # within 2 minutes
	for _ in $(seq 240); do
		if "$@" > /dev/null 2>&1; then return; fi
		sleep 0.5
	done
	echo "in vain: $*" >&2
	tail -n 5 "$state"/*.log >&2
	exit 1
}

say "API server"
peer=http://127.0.0.1:23800 client=http://127.0.0.1:23790 server=https://127.0.0.1:16443
start etcd --data-dir "$state/etcd" --listen-client-urls $client --advertise-client-urls $client --listen-peer-urls $peer \
	--initial-advertise-peer-urls $peer --initial-cluster default=$peer
openssl genrsa -out "$state/sa.key" 2048 2> /dev/null
openssl rsa -in "$state/sa.key" -pubout -out "$state/sa.pub" 2> /dev/null
token=$(openssl rand -hex 16)
(umask 077 && echo "$token,admin,1,system:masters" > "$state/tokens.csv")
start kube-apiserver --etcd-servers=$client --bind-address=127.0.0.1 --advertise-address=127.0.0.1 --secure-port=16443 --cert-dir="$state" \
	--service-account-issuer=https://kubernetes.default.svc --service-account-key-file="$state/sa.pub" --service-account-signing-key-file="$state/sa.key" \
	--token-auth-file="$state/tokens.csv" --authorization-mode=RBAC --service-cluster-ip-range=10.0.0.0/24 --endpoint-reconciler-type=none
export KUBECONFIG=$state/kubeconfig
kubectl() { "$bin/kubectl" "$@"; }
kubectl config set-cluster it --server=$server --insecure-skip-tls-verify > /dev/null
kubectl config set-credentials admin --token="$token" > /dev/null
kubectl config set-context it --cluster=it --user=admin --namespace=telephony > /dev/null
kubectl config use-context it > /dev/null
until_ok kubectl get --raw /readyz
for file in "$(source_of $operator)/example/prometheus-operator-crd/monitoring.coreos.com_"{podmonitors,servicemonitors,prometheusrules}.yaml \
	"$(source_of $keda)/config/crd/bases/keda.sh_scaledobjects.yaml"; do
	kubectl apply --server-side -f "$file" > /dev/null
done
kubectl create --save-config namespace telephony > /dev/null
kubectl label namespace telephony pod-security.kubernetes.io/{enforce,warn}=restricted > /dev/null
until_ok kubectl get scaledobjects,podmonitors,servicemonitors,prometheusrules
until_ok kubectl get --raw /apis/keda.sh/v1alpha1

say "every object of every installation, strictly, warnings being errors"
strictly() { kubectl apply --dry-run=server --validate=strict --warnings-as-errors -f "$1" > "$state/applied"; }
for values in deploy/chart/Chart.yaml deploy/chart/verify/values/*.yaml; do
	name=$(basename "$values" .yaml)
	given=(-f "$values")
	[ "$name" = Chart ] && name=default given=()
	"$bin/helm" template calls deploy/chart --namespace telephony "${given[@]}" > "$state/$name.yaml"
	# A pod's account has to be there, even if nothing is done.
	for account in $(sed -n 's/^ *serviceAccountName: //p' "$state/$name.yaml" | sort -u); do
		kubectl get serviceaccount "$account" > /dev/null 2>&1 || kubectl create --save-config serviceaccount "$account" > /dev/null
	done
	strictly "$state/$name.yaml"
	echo "$name: $(wc -l < "$state/applied") objects"
done
kubectl kustomize deploy/kustomize/overlays/production > "$state/kustomize.yaml"
strictly "$state/kustomize.yaml"
echo "kustomize: $(wc -l < "$state/applied") objects"
sed 's/runAsNonRoot: true/runAsNonRoot: false/' "$state/default.yaml" > "$state/loose.yaml"
if strictly "$state/loose.yaml" 2> /dev/null; then
	echo "a pod that may be root is let through: the check checks nothing" >&2
	exit 1
fi

kubectl delete serviceaccount --all > /dev/null

say "controllers and nodes"
start kube-controller-manager --kubeconfig="$KUBECONFIG" --bind-address=127.0.0.1 --service-account-private-key-file="$state/sa.key" \
	--root-ca-file="$state/apiserver.crt" --use-service-account-credentials --leader-elect=false
start kube-scheduler --kubeconfig="$KUBECONFIG" --bind-address=127.0.0.1 --leader-elect=false
stages=$(source_of sigs.k8s.io/kwok@$kwok)/kustomize/stage
for file in "$stages"/{node/fast,node/heartbeat,pod/fast}/*.yaml; do
	if grep -q '^kind: Stage' "$file"; then printf -- '---\n' && cat "$file"; fi
done > "$state/stages.yaml"
start kwok --kubeconfig="$KUBECONFIG" --config="$state/stages.yaml" --manage-all-nodes=true --node-ip=127.0.0.1 --server-address=127.0.0.1:10250
for n in a b c; do
	cat << EOF
{apiVersion: v1, kind: Node, metadata: {name: node-$n, labels: {kubernetes.io/hostname: node-$n, topology.kubernetes.io/zone: zone-$n}}, status: {allocatable: {cpu: "4", memory: 8Gi, pods: "50", ephemeral-storage: 50Gi}, capacity: {cpu: "4", memory: 8Gi, pods: "50", ephemeral-storage: 50Gi}}}
---
{apiVersion: v1, kind: PersistentVolume, metadata: {name: volume-$n}, spec: {capacity: {storage: 5Gi}, accessModes: [ReadWriteOnce], hostPath: {path: /nowhere/$n}}}
---
EOF
done | kubectl apply -f - > /dev/null
until_ok kubectl -n telephony get serviceaccount default
until_ok kubectl wait --for=condition=Ready node --all --timeout=1s

say "install, upgrade and roll back"
values=deploy/chart/verify/values/minimal.yaml
"$bin/helm" install calls deploy/chart -f $values --wait --timeout 2m > /dev/null
"$bin/helm" upgrade calls deploy/chart -f $values --set transform.replicas=3 --set settings.LOG_LEVEL=debug --wait --timeout 2m > /dev/null
"$bin/helm" rollback calls 1 --wait --timeout 2m > /dev/null
for workload in statefulset/calls-ringstream-ingest deployment/calls-ringstream-transform deployment/calls-ringstream-deliver; do
	kubectl rollout status "$workload" --timeout=60s
	zones=$(kubectl get pods -l "app.kubernetes.io/component=${workload##*-}" -o jsonpath='{.items[*].spec.nodeName}' | tr ' ' '\n' | sort -u | wc -l)
	[ "$zones" -ge 2 ] || { echo "$workload runs in one zone" >&2; exit 1; }
done
[ "$(kubectl get pvc -o jsonpath='{.items[*].status.phase}')" = "Bound Bound" ] || { echo "claims are not bound" >&2; kubectl get pvc >&2; exit 1; }

say "a disruption budget holds the second eviction up"
evict() {
	kubectl create --raw "/api/v1/namespaces/telephony/pods/$1/eviction" -f - > /dev/null << EOF
{"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "$1", "namespace": "telephony"}}
EOF
}
until_ok test "$(kubectl get pdb calls-ringstream-deliver -o jsonpath='{.status.disruptionsAllowed}')" = 1
kubectl cordon -l kubernetes.io/hostname > /dev/null # what is evicted has nowhere to go
read -r first second <<< "$(kubectl get pods -l app.kubernetes.io/component=deliver -o jsonpath='{.items[*].metadata.name}')"
evict "$first"
if evict "$second" 2> "$state/refused"; then
	echo "both were evicted" >&2
	exit 1
fi
grep -q 'disruption budget' "$state/refused"
say "done"
