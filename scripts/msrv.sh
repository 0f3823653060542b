#!/usr/bin/env bash
# Builds the crates with the oldest compiler that they promise to work with, which Cargo.toml names.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source-path=SCRIPTDIR
. "$root/scripts/common.sh"
cd "$root"

main() {
    local version
    version=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    say "building with Rust $version"
    rustup toolchain install --profile minimal "$version" || die "rustup could not install Rust $version"
    cargo "+$version" check --quiet --locked --workspace --exclude cage-tests --lib --bins --examples --all-features
}

main
