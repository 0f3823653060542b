#!/usr/bin/env bash
# Builds the crates with the oldest versions of the packages that their manifests allow.
#
# A manifest that asks for too little breaks the builds of others, whose lock files hold older versions than ours.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source-path=SCRIPTDIR
. "$root/scripts/common.sh"
cd "$root"

# A copy, since the lock file is written anew.
COPY=$root/target/minimal-versions

main() {
    local target_folder=${CARGO_TARGET_DIR:-$root/target}
    rm -rf "$COPY"
    mkdir -p "$COPY"
    git ls-files --cached --others --exclude-standard -z | xargs -0 cp --parents --no-dereference -t "$COPY"
    cd "$COPY"
    say 'choosing the oldest version of each direct dependency'
    # The resolver's option is unstable; the switch is for this one call, and no compiler sees it.
    RUSTC_BOOTSTRAP=1 cargo -Z direct-minimal-versions update --quiet
    say 'building with them'
    CARGO_TARGET_DIR=$target_folder cargo check --quiet --locked --workspace --exclude cage-tests --lib --bins --examples --all-features
}

main
