#!/usr/bin/env bash
# The whole way once, step by step on this machine: a cage, an agent, a question, a revision, the result.
#
# With ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN set the real model works; without one the real Claude Code talks to
# a scripted Messages API. Without a Docker engine it all happens in plain folders of this machine.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source-path=SCRIPTDIR
. "$root/scripts/common.sh"
cd "$root"

IMAGE=cage:latest
TASK='Add an option --shout to greet that prints the greeting in capital letters. Before you begin, ask your host for its style-guide.md with an info_request, and follow it.'
REVISION='Show the new option in README.md too.'
SCRIPT=tests/scripts/demo.json

# Everything that the demo writes, but for programs and image.
FOLDER=$root/target/demo
CAGE=demo-$$

# Where the agent runs and who answers it, in words for the last line.
place=
model=
# What the example is told about the place.
options=()
delegate_pid=
api_pid=

main() {
    trap clean_up EXIT
    # The shell runs a trap only between commands, so what takes long runs beside it and `wait` is what a signal ends.
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    rm -rf "$FOLDER/out"
    mkdir -p "$FOLDER"
    if scripts/docker-engine.sh; then use_docker; else use_folders; fi
    timed 'the example is built' cargo build --quiet --locked --package cage-host --example delegate
    if has_credential && [ "$place" = 'a container' ]; then use_real_model; else use_scripted_model; fi
    delegate
    check_script
    printf 'demo: ok — a task, a question and a revision in %s with %s; the result is in %s\n' \
        "$place" "$model" "${FOLDER#"$root/"}/out"
}

# Runs a command, then says what is there now and how long it took.
timed() {
    local done=$1 started=$SECONDS
    shift
    "$@"
    say "$done ($((SECONDS - started)) s)"
}

use_docker() {
    place='a container'
    timed 'the base image is there' scripts/base-image.sh
    timed 'the two static programs are in dist/' scripts/binaries.sh
    timed "the image $IMAGE is there" scripts/image.sh "$IMAGE"
    options=(--image "$IMAGE")
}

# The same story without Docker, and without isolation: Claude Code and the two programs as processes of this machine.
use_folders() {
    place='plain folders'
    say 'no Docker engine is to be had: the agent runs in plain folders of this machine, WITHOUT ISOLATION'
    command -v npm >/dev/null ||
        die 'neither a Docker engine nor npm is here: install Docker, or npm to run the demo without isolation'
    timed 'the two static programs are in dist/' scripts/binaries.sh
    local version claude=$FOLDER/claude-code/node_modules/.bin/claude programs=$FOLDER/programs
    version=$(sed -n 's/^ARG CLAUDE_CODE_VERSION=//p' Dockerfile)
    timed "Claude Code $version is there" npm install --silent --no-fund --no-audit \
        --prefix "$FOLDER/claude-code" "@anthropic-ai/claude-code@$version"
    mkdir -p "$programs"
    ln -sf "$root/dist/cage-send" "$root/dist/cage-poll" "$claude" "$programs"
    options=(--embedded "$FOLDER/cages" --programs "$programs")
}

has_credential() { [ -n "${ANTHROPIC_API_KEY:-}${CLAUDE_CODE_OAUTH_TOKEN:-}" ]; }

use_real_model() {
    model='the real model'
    say 'the credential in the environment is used: the real model works, and costs what it costs'
}

use_scripted_model() {
    model='a scripted API'
    if has_credential; then
        say 'the credential in the environment is NOT used: a real model is not let loose on a machine without isolation'
    else
        say 'no credential is set: the real Claude Code talks to a scripted API, which plays the model'
    fi
    cargo build --quiet --locked --package cage-tests --bin scripted-api
    local address=127.0.0.1 lines
    if [ "$place" = 'a container' ]; then
        address=$(gateway) || die 'Docker did not tell by which address containers reach this machine: see above'
    fi
    exec {lines}< <(exec cargo run --quiet --locked --package cage-tests --bin scripted-api -- --listen "$address" "$SCRIPT")
    api_pid=$!
    read -r ANTHROPIC_BASE_URL <&"$lines" || die "the scripted API did not start at $address: see above"
    unset CLAUDE_CODE_OAUTH_TOKEN ANTHROPIC_AUTH_TOKEN
    export ANTHROPIC_BASE_URL ANTHROPIC_API_KEY=made-up-by-the-demo
}

# The address by which containers reach this machine.
gateway() {
    docker run --rm --add-host gateway:host-gateway "$IMAGE" getent ahostsv4 gateway | awk '{ print $1; exit }'
}

delegate() {
    # A session of its own: Ctrl-C reaches it once, from here.
    setsid cargo run --quiet --locked --package cage-host --example delegate -- \
        --name "$CAGE" --project examples/sample-project --answers examples/answers --output "$FOLDER/out" \
        --task "$TASK" --revision "$REVISION" "${options[@]}" &
    delegate_pid=$!
    wait "$delegate_pid" || die 'the story did not come to its end: see above'
    delegate_pid=
}

# The scripted API knows whether its script was played to the end, and no further.
check_script() {
    [ -n "$api_pid" ] || return 0
    kill "$api_pid"
    wait "$api_pid" || die 'the agent did not keep to the script: see above'
    api_pid=
}

# The example removes its own cage, also on Ctrl-C; this waits for it, and sees to it when the example could not.
clean_up() {
    trap '' HUP INT TERM
    if [ -n "$delegate_pid" ]; then
        kill -INT "$delegate_pid" 2>/dev/null || true
        wait "$delegate_pid" || true
        [ "$place" != 'a container' ] || docker rm --force --volumes "isolated-dev-$CAGE" >/dev/null 2>&1 || true
    fi
    if [ -n "$api_pid" ]; then
        kill "$api_pid" 2>/dev/null || true
        wait "$api_pid" 2>/dev/null || true
    fi
}

main
