#!/usr/bin/env bash
# Writes the manual pages and shell completions of the two programs into dist/share, laid out as below /usr/share.
#
# They are made from the programs' own command lines, by a build of their own: the programs carry none of it.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source-path=SCRIPTDIR
. "$root/scripts/common.sh"
cd "$root"

main() {
    say 'writing manual pages and completions'
    # One by one: together they would be built with each other's features, and so once more.
    rm -rf dist/share.new
    for program in cage-send cage-poll; do
        cargo run --quiet --locked --package "$program" --example manual -- dist/share.new
    done
    # Replaced at once, so that an interrupted run leaves no half.
    rm -rf dist/share
    mv dist/share.new dist/share
}

main
