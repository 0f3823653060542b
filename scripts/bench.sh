#!/usr/bin/env bash
# Measures this project beside the Python tool that it replaces and beside the floor: bench.sh [ROW ...]
#
# Without rows it measures all of them and draws the curves, which takes about half an hour.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source-path=SCRIPTDIR
. "$root/scripts/common.sh"
cd "$root"

# Each tool that only the comparison needs, and the Debian package that has it.
TOOLS=(rsync:rsync valgrind:valgrind python3:python3-venv)

missing=()
for tool in "${TOOLS[@]}"; do
    command -v "${tool%%:*}" >/dev/null || missing+=("${tool##*:}")
done
if [ "${#missing[@]}" -gt 0 ]; then
    if is_debian_like && [ "$(id -u)" -eq 0 ]; then
        apt_install "${missing[@]}"
    else
        say "WARNING: without ${missing[*]} some columns stay empty"
    fi
fi

say "measuring on $(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -n 1), $(nproc) processors, kernel $(uname -r)"
CAGE_BIN_DIR=$root/dist exec cargo bench --quiet --locked --package cage-tests --bench side_by_side -- "$@"
