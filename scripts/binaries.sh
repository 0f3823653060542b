#!/usr/bin/env bash
# Builds the two static programs that go into images: dist/cage-send and dist/cage-poll.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source-path=SCRIPTDIR
. "$root/scripts/common.sh"
cd "$root"

# The engine runs images of its own machine's architecture.
TARGET=$(uname -m)-unknown-linux-musl

main() {
    command -v cargo >/dev/null || die 'cargo is missing: install Rust with rustup (https://rustup.rs)'
    have_target || add_target
    say "building cage-send and cage-poll for $TARGET"
    cargo build --quiet --locked --profile static --target "$TARGET" --package cage-send --package cage-poll
    mkdir -p dist
    for program in cage-send cage-poll; do
        install -m 0755 "$(target_folder)/$TARGET/static/$program" "dist/$program"
    done
}

# Asks the compiler, not rustup: a distribution's Rust has its targets too.
have_target() { [ -d "$(rustc --print target-libdir --target "$TARGET")" ]; }

add_target() {
    command -v rustup >/dev/null ||
        die "the Rust target $TARGET is missing: install it from where this Rust came from, or use rustup (https://rustup.rs)"
    say "adding the Rust target $TARGET"
    rustup --quiet target add "$TARGET" || die "rustup could not add the target $TARGET: is its server reachable?"
}

# Where cargo builds, by whichever of its settings.
target_folder() {
    cargo metadata --no-deps --format-version 1 | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p'
}

main
