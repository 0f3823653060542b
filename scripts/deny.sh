#!/usr/bin/env bash
# Checks licences, sources, duplicate versions and security advisories of what the crates depend on (deny.toml).
#
# With CAGE_REQUIRE_ADVISORIES=1 an advisory database that cannot be fetched is a failure, not a warning.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source-path=SCRIPTDIR
. "$root/scripts/common.sh"
cd "$root"

VERSION=0.20.2
# The database is a git repository of a few megabytes.
FETCH_SECONDS=60

main() {
    cargo_tool deny "$VERSION"
    say 'checking licences, bans and sources'
    cargo deny --log-level warn check --hide-inclusion-graph licenses bans sources
    check_advisories
}

check_advisories() {
    if timeout "$FETCH_SECONDS" cargo deny --log-level off fetch db >/dev/null 2>&1; then
        say 'checking security advisories'
        cargo deny --log-level warn --offline check --hide-inclusion-graph advisories
    elif [ "${CAGE_REQUIRE_ADVISORIES:-}" = 1 ]; then
        die 'the advisory database could not be fetched from github.com: advisories are not checked'
    else
        say 'WARNING: advisories are NOT checked: their database could not be fetched from github.com'
    fi
}

main
