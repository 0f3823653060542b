#!/usr/bin/env bash
# Makes sure that a Docker engine answers: installs and starts one where that can be done without asking.
#
# Does nothing when one answers already. Ends with 0 only when one does.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source-path=SCRIPTDIR
. "$root/scripts/common.sh"

# A healthy engine answers in milliseconds; one that is stuck never does.
ANSWER_SECONDS=10
# From the start of dockerd to its first answer: about two seconds here; a machine with many containers takes longer.
START_SECONDS=60
# dockerd's own words, when this script is the one that starts it.
LOG=$root/target/dockerd.log

# Only what it says when it fails.
# shellcheck disable=SC2069
engine_error() { timeout "$ANSWER_SECONDS" docker version --format '{{.Server.Version}}' 2>&1 >/dev/null; }
engine_answers() { command -v docker >/dev/null && engine_error >/dev/null; }
service_manager_runs() { [ -d /run/systemd/system ]; }

main() {
    engine_answers && return
    refuse_what_a_start_would_not_mend
    have_programs || install_programs
    # A package may start its service by itself.
    engine_answers || start_engine
    say "Docker engine $(docker version --format '{{.Server.Version}}') answers"
}

have_programs() { command -v docker >/dev/null && command -v dockerd >/dev/null; }

refuse_what_a_start_would_not_mend() {
    if [ -n "${DOCKER_HOST:-}" ]; then
        die "no Docker engine answers at DOCKER_HOST=$DOCKER_HOST: start that engine, or unset DOCKER_HOST to use one on this machine"
    fi
    if command -v docker >/dev/null && [[ $(engine_error) == *'permission denied'* ]]; then
        die "this user may not use the Docker engine: run as root, or add the user to the group docker and log in again"
    fi
    if ! is_debian_like; then
        die "no Docker engine answers, and only Debian's and Ubuntu's can be installed from here: install and start Docker Engine 20.10 or newer (https://docs.docker.com/engine/install/), then run this again"
    fi
    if [ "$(id -u)" -ne 0 ]; then
        die "no Docker engine answers, and only root can install or start one: run this as root, or install and start docker.io yourself"
    fi
}

install_programs() {
    local packages=(docker.io)
    # Newer releases keep the client in a package of its own.
    if ! command -v docker >/dev/null && apt-cache show docker-cli >/dev/null 2>&1; then
        packages+=(docker-cli)
    fi
    apt_install "${packages[@]}"
}

start_engine() {
    if service_manager_runs; then
        say 'starting the Docker engine (systemctl start docker)'
        systemctl start docker || die 'systemctl could not start docker: see "journalctl --unit docker"'
        wait_for_engine || die "the docker service did not answer within $START_SECONDS s: see \"journalctl --unit docker\""
    else
        start_by_hand
    fi
}

start_by_hand() {
    say "starting the Docker engine by hand, since no service manager runs (its log: $LOG)"
    mkdir -p "$(dirname "$LOG")"
    # Its own session and no inherited stream: it outlives this script, a Ctrl-C here, and a closed pipe.
    setsid dockerd </dev/null >"$LOG" 2>&1 &
    wait_for_engine $! && return
    grep -Ev 'level=(info|warning)' "$LOG" | tail -n 5 >&2 || true
    die "dockerd ended, or did not answer within $START_SECONDS s: what it complained of is above, its whole log is $LOG"
}

# Waits until an engine answers; gives up at the deadline, or once process $1, when given, has ended.
wait_for_engine() {
    local deadline=$((SECONDS + START_SECONDS))
    until engine_answers; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        [ -z "${1:-}" ] || kill -0 "$1" 2>/dev/null || return 1
        sleep 0.2
    done
}

main
