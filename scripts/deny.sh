#!/usr/bin/env bash
# Checks licences, sources, duplicate versions and security advisories of what the crates depend on (deny.toml).
#
# With CAGE_REQUIRE_ADVISORIES=1 an advisory database that cannot be fetched is a failure, not a warning.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source-path=SCRIPTDIR
. "$root/scripts/common.sh"
cd "$root"

# Pinned: a newer one may read deny.toml otherwise.
VERSION=0.20.2
TOOLS=$root/target/tools
# The database is a git repository of a few megabytes.
FETCH_SECONDS=60

main() {
    PATH=$TOOLS/bin:$PATH
    is_installed || install_cargo_deny
    say 'checking licences, bans and sources'
    cargo deny --log-level warn check --hide-inclusion-graph licenses bans sources
    check_advisories
}

is_installed() { [ "$(cargo deny --version 2>/dev/null)" = "cargo-deny $VERSION" ]; }

install_cargo_deny() {
    say "building cargo-deny $VERSION into target/tools (once, about a minute)"
    # It runs for a second; optimizing it would cost minutes.
    CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug --root "$TOOLS" --version "$VERSION" cargo-deny
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
