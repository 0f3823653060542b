#!/usr/bin/env bash
# Fuzzes each parser of the protocol: scripts/fuzz.sh [SECONDS for each, default 10] [TARGET ...]
#
# What a run discovers is kept in target/fuzz/corpus, so that the next one goes on from there; the small corpus in
# fuzz/corpus is only read. A finding is left in fuzz/artifacts and makes the script fail.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source-path=SCRIPTDIR
. "$root/scripts/common.sh"
cd "$root"

VERSION=0.13.2
BUILD=$root/target/fuzz
# A message may have a megabyte, but what is wrong with a parser shows in less.
INPUT_BYTES_MAX=4096
# One input must not take longer, nor all of it more memory.
INPUT_SECONDS_MAX=2
MEMORY_MB_MAX=512
# Our crates hold no unsafe code, so a sanitizer would find nothing, want a nightly compiler, and halve the executions.
BUILD_OPTIONS=(--sanitizer none --target-dir "$BUILD")

main() {
    local seconds=${1:-10} target
    shift || true
    cargo_tool fuzz "$VERSION"
    if ! command -v c++ >/dev/null; then
        say 'WARNING: the parsers are NOT fuzzed: libFuzzer needs a C++ compiler, and there is no c++'
        return
    fi
    local targets=("$@")
    [ "${#targets[@]}" -gt 0 ] || mapfile -t targets < <(cargo fuzz list)
    say 'building the fuzz targets'
    mkdir -p "$BUILD"
    for target in "${targets[@]}"; do
        cargo fuzz build "${BUILD_OPTIONS[@]}" "$target" 2>"$BUILD/build.log" ||
            { tail -n 40 "$BUILD/build.log" >&2; die "the fuzz target $target does not build: see above"; }
    done
    for target in "${targets[@]}"; do fuzz "$target" "$seconds"; done
}

fuzz() {
    local target=$1 seconds=$2 found=$BUILD/corpus/$1 log=$BUILD/$1.log
    mkdir -p "$found"
    cargo fuzz run "${BUILD_OPTIONS[@]}" "$target" "$found" "fuzz/corpus/$target" -- \
        -max_total_time="$seconds" -max_len="$INPUT_BYTES_MAX" -timeout="$INPUT_SECONDS_MAX" \
        -rss_limit_mb="$MEMORY_MB_MAX" 2>"$log" ||
        { tail -n 40 "$log" >&2; die "the fuzz target $target found something: see above and fuzz/artifacts/$target"; }
    say "$target: $(sed -n 's/^Done \([0-9]*\) runs in \([0-9]*\) .*/\1 executions in \2 s, nothing found/p' "$log")"
}

main "$@"
