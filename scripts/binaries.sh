#!/usr/bin/env bash
# Builds what goes into images: binaries.sh [amd64 | arm64 ...]
#
# The two static programs come into dist/<architecture>/, and this machine's, which are built by default, into dist/ as
# well. Their manual pages and completions come into dist/share.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source-path=SCRIPTDIR
. "$root/scripts/common.sh"
cd "$root"

PROGRAMS=(cage-send cage-poll)

main() {
    command -v cargo >/dev/null || die 'cargo is missing: install Rust with rustup (https://rustup.rs)'
    local own architecture
    own=$(own_architecture)
    for architecture in "${@:-$own}"; do
        build "$(target_of "$architecture")" "dist/$architecture"
        [ "$architecture" != "$own" ] || install -m 0755 "${PROGRAMS[@]/#/dist/$own/}" dist
    done
    scripts/manual.sh
}

# In Docker's words, since it is Docker that asks for one of them.
own_architecture() {
    case $(uname -m) in
        x86_64) echo amd64 ;;
        aarch64) echo arm64 ;;
        *) die "nothing has been tried on $(uname -m): x86_64 and aarch64 are what is built for" ;;
    esac
}

target_of() {
    case $1 in
        amd64) echo x86_64-unknown-linux-musl ;;
        arm64) echo aarch64-unknown-linux-musl ;;
        *) die "no such architecture as $1: amd64 and arm64 are what is built for" ;;
    esac
}

build() {
    local target=$1 folder=$2
    have_target "$target" || add_target "$target"
    say "building cage-send and cage-poll for $target"
    cargo build --quiet --locked --profile static --target "$target" "${PROGRAMS[@]/#/--package=}"
    mkdir -p "$folder"
    install -m 0755 "${PROGRAMS[@]/#/$(target_folder)/$target/static/}" "$folder"
}

# Asks the compiler, not rustup: a distribution's Rust has its targets too.
have_target() { [ -d "$(rustc --print target-libdir --target "$1")" ]; }

add_target() {
    command -v rustup >/dev/null ||
        die "the Rust target $1 is missing: install it from where this Rust came from, or use rustup (https://rustup.rs)"
    say "adding the Rust target $1"
    rustup --quiet target add "$1" || die "rustup could not add the target $1: is its server reachable?"
}

# Where cargo builds, by whichever of its settings.
target_folder() {
    cargo metadata --no-deps --format-version 1 | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p'
}

main "$@"
