#!/usr/bin/env bash
# Builds the images of the programs that are named: build.sh ingest transform deliver. With docker, podman or buildah, whichever answers (IMAGE_TOOL= says
# which); VERSION and REVISION are stamped, IMAGE_NAME (ringstream) stands before each name, GO_IMAGE is what it is built with.
set -euo pipefail
cd "$(dirname "$0")/../.."

tool=${IMAGE_TOOL:-}
for candidate in docker podman buildah; do
	if [ -z "$tool" ] && "$candidate" info >/dev/null 2>&1; then tool=$candidate; fi
done
[ -n "$tool" ] || { echo "none of docker, podman and buildah answers" >&2; exit 1; }
version=${VERSION:-$(git describe --tags --always --dirty 2>/dev/null || echo unknown)}
revision=${REVISION:-$(git describe --always --dirty --abbrev=40 --exclude='*' 2>/dev/null || echo unknown)}

for service in "$@"; do
	module=$service package=./cmd/$service
	case $service in
	rte-sim) module=ingest ;;
	replay) module=transform ;;
	reapit-sim) module=deliver ;;
	trial) module=deploy/local package=./trial ;;
	esac
	image=${IMAGE_NAME:-ringstream}/$service:$version
	echo "== $image"
	args=(--build-arg "SERVICE=$service" --build-arg "MODULE=$module" --build-arg "PACKAGE=$package" --build-arg "VERSION=$version" --build-arg "REVISION=$revision")
	for name in GO_IMAGE GOPROXY GOSUMDB TARGETARCH; do
		if [ -n "${!name:-}" ]; then args+=(--build-arg "$name=${!name}"); fi
	done
	"$tool" build "${args[@]}" -f deploy/image/Dockerfile -t "$image" .
done
"$tool" images | awk -v want="${IMAGE_NAME:-ringstream}/" -v tag="$version" 'NR == 1 || index($1, want) && $2 == tag'
