# shellcheck shell=bash
# What the scripts share. Sourced, never run.

# Says what is being done. On stderr, so that a script's output stays its result.
say() { printf '==> %s\n' "$*" >&2; }

# Ends the script with one sentence that says what is wrong and what to do.
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# The names of a distribution and of those it descends from; empty where nobody can tell.
distribution() (
    # shellcheck source=/dev/null
    . /etc/os-release 2>/dev/null && printf '%s %s\n' "${ID:-}" "${ID_LIKE:-}"
)

is_debian_like() {
    case " $(distribution) " in
        *' debian '* | *' ubuntu '*) command -v apt-get >/dev/null ;;
        *) return 1 ;;
    esac
}

# Makes sure that cargo has this subcommand in this version, pinned because another one may read its settings otherwise.
cargo_tool() {
    local name=$1 version=$2 tools
    tools=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/target/tools
    PATH=$tools/bin:$PATH
    [ "$(cargo "$name" --version 2>/dev/null)" != "cargo-$name $version" ] || return 0
    say "building cargo-$name $version into target/tools (once, some minutes)"
    # It runs for seconds; optimizing it would cost minutes.
    CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug --root "$tools" --version "$version" "cargo-$name"
}

# Installs packages of the distribution; shows apt's words only when it fails.
apt_install() {
    say "installing $* with apt-get"
    local log
    log=$(
        exec 2>&1
        export DEBIAN_FRONTEND=noninteractive
        # Without lists apt knows no package; with old ones it asks for versions that are gone.
        apt-get -q update && apt-get -q install -y --no-install-recommends "$@"
    ) && return
    printf '%s\n' "$log" | tail -n 15 >&2
    die "apt-get could not install $*: see its last lines above"
}
