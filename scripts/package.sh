#!/usr/bin/env bash
# Packs the crates as they would be published, and builds each from its package: package.sh [--no-verify]
#
# Nothing is uploaded. Any warning is a failure, and so is a package without its README or a licence.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source-path=SCRIPTDIR
. "$root/scripts/common.sh"
cd "$root"

CRATES=(cage-proto cage-send cage-poll cage-host)
LOG=target/package.log

main() {
    local crate
    mkdir -p target
    for crate in "${CRATES[@]}"; do check_files "$crate"; done
    say 'packing the crates as they would be published'
    # Together, since the others are built against the packed cage-proto, which no registry may know yet.
    cargo publish --locked --workspace --exclude cage-tests --dry-run --allow-dirty "$@" >"$LOG" 2>&1 ||
        { tail -n 30 "$LOG" >&2; die "the crates cannot be published: see above and $LOG"; }
    if grep '^warning' "$LOG" | grep -v 'aborting upload due to dry run' >&2; then
        die "a package is not clean: see above and $LOG"
    fi
    say "$(grep -c '^ *Uploading' "$LOG") crates could be published"
}

check_files() {
    local files wanted
    files=$(cargo package --locked --list --allow-dirty --package "$1")
    for wanted in Cargo.toml README.md LICENSE-APACHE LICENSE-MIT src/lib.rs; do
        grep -qx "$wanted" <<<"$files" || die "the package of $1 has no $wanted"
    done
}

main "$@"
