#!/usr/bin/env bash
# Builds the image: image.sh [TAG [amd64 | arm64]]. Docker rebuilds only what has changed since the last time.
#
# BASE_IMAGE and CAGE_UID, when set, are handed on to the Dockerfile. For another architecture than the machine's the kernel
# has to know an emulator for its programs (binfmt_misc), and the base image has to be of that architecture.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source-path=SCRIPTDIR
. "$root/scripts/common.sh"
cd "$root"

TAG=${1:-cage:latest}
ARCHITECTURE=${2:-}
LOG=target/image-build.log

main() {
    local before started=$SECONDS
    before=$(image_id)
    collect_certificates
    [ -n "$before" ] || say "building the image $TAG (the first time takes about two minutes; its log: $LOG)"
    build
    if [ "$(image_id)" = "$before" ]; then
        say "the image $TAG is up to date"
    else
        say "the image $TAG is built ($((SECONDS - started)) s)"
    fi
}

image_id() { docker image inspect --format '{{.Id}}' "$TAG" 2>/dev/null || true; }

# What the machine's owner trusts beyond the usual, such as a proxy that inspects TLS, the build has to trust too.
# More can be put into the folder by hand, so nothing is removed from it.
collect_certificates() {
    mkdir -p certs
    find /usr/local/share/ca-certificates -name '*.crt' -exec cp {} certs/ \; 2>/dev/null || true
}

build() {
    local arguments=(--network host --tag "$TAG" --build-arg "CAGE_VERSION=$(version)")
    for name in BASE_IMAGE CAGE_UID; do
        [ -z "${!name:-}" ] || arguments+=(--build-arg "$name=${!name}")
    done
    # The older builder does not tell the Dockerfile by itself for which architecture it builds.
    [ -z "$ARCHITECTURE" ] || arguments+=(--platform "linux/$ARCHITECTURE" --build-arg "TARGETARCH=$ARCHITECTURE")
    mkdir -p "$(dirname "$LOG")"
    docker build "${arguments[@]}" . >"$LOG" 2>&1 && return
    tail -n 15 "$LOG" >&2
    die "docker build failed: its last lines are above, all of them in $LOG"
}

# The workspace's, which all crates share.
version() { sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml; }

main
