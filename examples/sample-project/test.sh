#!/bin/sh
# The tests of greet; prints what failed, or "ok".
set -eu
cd "$(dirname "$0")"

expect() {
    wanted=$1
    shift
    got=$(./greet "$@")
    if [ "$got" != "$wanted" ]; then
        printf 'greet %s: wanted "%s", got "%s"\n' "$*" "$wanted" "$got" >&2
        exit 1
    fi
}

expect 'Hello, world!'
expect 'Hello, Ada!' Ada
if ./greet --no-such-option 2>/dev/null; then
    echo 'greet takes an option that it does not know' >&2
    exit 1
fi
echo ok
