#!/usr/bin/env bash
# Runs the images that build.sh built with buildah, under runc: see try/main.go. Needs buildah, umoci and runc, root, and bin/ of make build.
set -euo pipefail
cd "$(dirname "$0")/../.."
version=${VERSION:-$(git describe --tags --always --dirty 2>/dev/null || echo unknown)}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/bundles"
for service in ingest transform deliver; do
	buildah push --quiet "${IMAGE_NAME:-ringstream}/$service:$version" "oci:$dir/layout:$service"
	umoci unpack --image "$dir/layout:$service" "$dir/bundles/$service" > /dev/null
done
echo "compressed: $(du -sh "$dir/layout" | cut -f1) for all three"
GOWORK=off go -C deploy/image/try build -o "$dir/try" .
"$dir/try" "$dir/bundles" "$PWD/bin"
