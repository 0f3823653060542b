#!/usr/bin/env bash
# Writes the measurements of the last `make bench` into README.md: readme-bench.sh [RESULTS [README]]
#
# Only the lines between the two marks change, and only a row that was measured on both sides becomes a line.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source-path=SCRIPTDIR
. "$root/scripts/common.sh"

RESULTS=${1:-$root/target/bench/results.json}
README=${2:-$root/README.md}
BEGIN='<!-- bench: begin -->'
END='<!-- bench: end -->'

# The rows that a newcomer asks for, in the words of one. All rows are in docs/benchmarks.md.
ROWS='[
    ["send", "send a message from inside the cage"],
    ["inbox_send", "send a message into the cage"],
    ["follow_latency_p50", "a message reaches the host after"],
    ["read_100", "read 100 messages"],
    ["burst_lost_of_2000", "lost of 2,000 messages of 8 senders at once"],
    ["create_20k", "create a cage from 20,000 files"],
    ["diff_3_of_20k", "find 3 changes among 20,000 files"],
    ["export_3_of_20k", "bring 3 of 20,000 files home"],
    ["destroy", "destroy a cage"]
]'
# shellcheck disable=SC2016
TABLE='
    def rounded: if . == null then "–" elif . >= 100 or . == floor then round elif . >= 10 then . * 10 | round / 10
        else . * 100 | round / 100 end;
    def ratio: if .ours and .peer and .ours > 0 then "\(.peer / .ours | rounded) ×" else "" end;
    . as $results
    | $rows[] | . as [$name, $words] | $results[$name] | select(. != null and .ours != null and .peer != null)
    | (if .unit and .unit != "count" then " " + .unit else "" end) as $unit
    | "| \($words) | \(.ours | rounded)\($unit) | \(.peer | rounded)\($unit) | \(ratio) |"'

main() {
    local table
    [ -r "$RESULTS" ] || die "there is no $RESULTS: \"make bench\" writes it"
    grep -qFx "$BEGIN" "$README" || die "$README has lost the mark $BEGIN"
    grep -qFx "$END" "$README" || die "$README has lost the mark $END"
    table=$(jq -r --argjson rows "$ROWS" "$TABLE" "$RESULTS")
    [ -n "$table" ] || die "$RESULTS holds no row that was measured on both sides"
    table=$(printf '| | cage | trusty-cage 0.13.0 | ratio |\n|---|---|---|---|\n%s' "$table")
    TABLE_TEXT=$table awk -v begin="$BEGIN" -v end="$END" '
        $0 == end { print ENVIRON["TABLE_TEXT"]; skipping = 0 }
        !skipping
        $0 == begin { skipping = 1 }
    ' "$README" >"$README.new"
    mv "$README.new" "$README"
}

main
