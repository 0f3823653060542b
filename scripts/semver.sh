#!/usr/bin/env bash
# Compares the public interface of the crates with that of the last release, which a tag v<version> marks.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source-path=SCRIPTDIR
. "$root/scripts/common.sh"
cd "$root"

VERSION=0.51.0
# The programs' libraries are no interface.
CRATES=(cage-proto cage-host)

main() {
    local release
    if ! release=$(git describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null); then
        say 'there is no release yet to compare with: nothing is compared'
        return
    fi
    cargo_tool semver-checks "$VERSION"
    say "comparing with $release"
    cargo semver-checks --baseline-rev "$release" "${CRATES[@]/#/--package=}"
}

main
