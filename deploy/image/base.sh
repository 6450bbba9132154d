#!/usr/bin/env bash
# Makes an image to build with, golang:1.26, of this machine's Go, for where no registry can be reached. Needs buildah, a static busybox and CA certificates
# (Debian: buildah busybox-static ca-certificates).
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir -p "$dir/bin" "$dir/etc/ssl/certs" "$dir/tmp" "$dir/usr/local/go" "$dir/root"
cp "${BUSYBOX:-/bin/busybox}" "$dir/bin/busybox"
for name in sh cp mkdir rm ls cat; do ln -s busybox "$dir/bin/$name"; done
cp /etc/ssl/certs/ca-certificates.crt "$dir/etc/ssl/certs/"
printf 'root:x:0:0::/root:/bin/sh\n' > "$dir/etc/passwd"
goroot=$(go env GOROOT)
cp -r "$goroot"/{VERSION,bin,go.env,lib,pkg,src} "$dir/usr/local/go/"
cat > "$dir/Dockerfile" <<'EOF'
FROM scratch
COPY . /
ENV PATH=/usr/local/go/bin:/bin GOPATH=/go HOME=/root
EOF
buildah build --quiet -f "$dir/Dockerfile" --ignorefile /dev/null -t "${GO_IMAGE:-golang:1.26}" "$dir"
