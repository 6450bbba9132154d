#!/usr/bin/env bash
# Builds the services of another commit and rolls a fleet from them to the present
# ones and back: upgrade.sh REF [flags of the test].
set -euo pipefail
cd "$(dirname "$0")/../.."
ref=${1:-}
[ -n "$ref" ] || { echo "which older build? OLD=<git ref>"; exit 1; }
shift
dir=$(mktemp -d)
trap 'git worktree remove --force "$dir/source" >/dev/null 2>&1 || true; rm -rf "$dir"' EXIT
git worktree add --quiet --detach "$dir/source" "$ref"
echo "building the services of $(git -C "$dir/source" describe --always)"
go build -C "$dir/source" -ldflags '-s -w -X ringstream/schemas/program.version=second' -o "$dir/bin/" \
	./ingest/cmd/ingest ./transform/cmd/transform ./deliver/cmd/deliver
go test -count=1 -v -run "^TestRolling\$" -timeout 1h ./deploy/e2e "$@" -rolling.old="$dir/bin"
