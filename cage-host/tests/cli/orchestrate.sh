#!/usr/bin/env bash
# What an orchestration prompt makes an agent type, from prerequisites to destroy: TC is the command, CAGE the name,
# ANSWERS the folder that the agent may have files from.
# shellcheck disable=SC2086 # TC may be several words.
set -euo pipefail

fail() { echo "orchestrate: $1" >&2; exit 1; }

# Runs a command that may fail, and leaves its exit code in $code.
code_of() { code=0; "$@" || code=$?; }

code_of $TC exists "$CAGE"
[ "$code" -eq 1 ] || fail "the name is taken: exists said $code"
$TC create --dir . --name "$CAGE" --no-attach --auth-mode api_key
code_of $TC exists "$CAGE"
[ "$code" -eq 0 ] || fail "the cage is not there: exists said $code"
$TC launch "$CAGE" --test
$TC launch "$CAGE" --prompt "Add an option --shout to greet." --background

# Whoever answers questions looks now and then.
until $TC outbox "$CAGE" --all --json | grep -q '"info_request"'; do sleep 0.2; done
$TC answer "$CAGE" --from "$ANSWERS"

code_of $TC outbox "$CAGE" --poll --timeout 120 --interval 5
[ "$code" -eq 0 ] || fail "the task ended with $code"
$TC diff "$CAGE" --stats
$TC inbox "$CAGE" task_revision '{"instructions": "Show the new option in README.md too."}'
code_of $TC outbox "$CAGE" --poll --timeout 120 --interval 5
[ "$code" -eq 0 ] || fail "the revision ended with $code"

$TC export "$CAGE" -y --stats --output-dir .
$TC destroy "$CAGE" -y
code_of $TC exists "$CAGE"
[ "$code" -eq 1 ] || fail "the cage is still there: exists said $code"
