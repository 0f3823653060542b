#!/usr/bin/env bash
# Compares the public interface of the crates with that of the last release, which a tag v<version> marks.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source-path=SCRIPTDIR
. "$root/scripts/common.sh"
cd "$root"

VERSION=0.51.0
TOOLS=$root/target/tools
# The programs' libraries are no interface.
CRATES=(cage-proto cage-host)

is_installed() { [ "$(cargo semver-checks --version 2>/dev/null)" = "cargo-semver-checks $VERSION" ]; }

install_semver_checks() {
    say "building cargo-semver-checks $VERSION into target/tools (once, some minutes)"
    CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug --root "$TOOLS" --version "$VERSION" cargo-semver-checks
}

main() {
    local release
    if ! release=$(git describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null); then
        say 'there is no release yet to compare with: nothing is compared'
        return
    fi
    PATH=$TOOLS/bin:$PATH
    is_installed || install_semver_checks
    say "comparing with $release"
    cargo semver-checks --baseline-rev "$release" "${CRATES[@]/#/--package=}"
}

main
