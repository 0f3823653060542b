#!/usr/bin/env bash
# Makes sure that the image's base is there: base-image.sh [IMAGE]
#
# Takes what Docker has, else what a registry gives, else bootstraps Debian under the same name.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source-path=SCRIPTDIR
. "$root/scripts/common.sh"

# The image is 30 MB to load. Docker itself gives up on a silent registry after 15 s; this bounds a slow one.
PULL_SECONDS=60
IMAGE=${1:-debian:bookworm-slim}
MIRROR=${DEBIAN_MIRROR:-http://deb.debian.org/debian}

work=
bootstrap_pid=

main() {
    docker image inspect "$IMAGE" >/dev/null 2>&1 && return
    pull || bootstrap
}

pull() {
    say "pulling $IMAGE"
    local answer
    answer=$(timeout --kill-after=5 "$PULL_SECONDS" docker pull --quiet "$IMAGE" 2>&1) && return
    say "no registry gave it (${answer:-no answer within $PULL_SECONDS s})"
    return 1
}

bootstrap() {
    local suite
    suite=$(suite_of "$IMAGE")
    can_bootstrap
    trap clean_up EXIT
    # The shell runs a trap only between commands, so the bootstrap runs beside it and `wait` is what a signal ends.
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    work=$(mktemp -d)
    say "bootstrapping $IMAGE from Debian's packages (about half a minute)"
    # A process group of its own, so that all of it can be ended at once.
    setsid debootstrap --variant=minbase "$suite" "$work/root" "$MIRROR" >"$work/log" 2>&1 &
    bootstrap_pid=$!
    if ! wait "$bootstrap_pid"; then
        tail -n 5 "$work/log" >&2
        die "debootstrap could not make $IMAGE: its last lines are above; DEBIAN_MIRROR names another mirror than $MIRROR"
    fi
    bootstrap_pid=
    slim_down "$suite"
    import
}

# Only Debian's slim images are what debootstrap makes.
suite_of() {
    case $1 in
        debian:*-slim) set -- "${1#debian:}" && printf '%s\n' "${1%-slim}" ;;
        *) die "$1 is not here, no registry gives it, and only debian:<suite>-slim can be made without one: load it with \"docker load\" or choose another BASE_IMAGE" ;;
    esac
}

can_bootstrap() {
    if [ "$(id -u)" -ne 0 ]; then
        die "only root can bootstrap $IMAGE: run this as root, or get the image with \"docker pull\" where a registry answers"
    fi
    command -v debootstrap >/dev/null && return
    is_debian_like || die "debootstrap is missing: install it, or get $IMAGE with \"docker pull\" where a registry answers"
    # The keys as well: on Ubuntu, Debian's are not there by themselves.
    apt_install debootstrap debian-archive-keyring
}

# As Debian's own slim images: security updates reachable, no package files, lists, manuals or translations.
slim_down() {
    cat >"$work/root/etc/apt/sources.list" <<END
deb $MIRROR $1 main
deb $MIRROR $1-updates main
deb http://deb.debian.org/debian-security $1-security main
END
    cat >"$work/root/etc/dpkg/dpkg.cfg.d/slim" <<'END'
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/man/*
path-exclude /usr/share/locale/*
END
    find "$work/root/usr/share/doc" -type f ! -name copyright -delete
    find "$work/root/usr/share/doc" -type d -empty -delete
    rm -rf "$work/root"/usr/share/{man,locale}/* "$work/root"/var/cache/apt/* "$work/root"/var/lib/apt/lists/*
}

import() {
    tar --create --numeric-owner --one-file-system --directory "$work/root" . |
        docker import \
            --change 'CMD ["bash"]' \
            --change 'LABEL dev.cage.managed=true dev.cage.role=base' \
            --message 'debootstrap --variant=minbase' \
            - "$IMAGE" >/dev/null
}

# Leaves nothing behind, also when a signal came in the middle of the bootstrap.
clean_up() {
    trap '' HUP INT TERM
    if [ -n "$bootstrap_pid" ]; then
        kill -- "-$bootstrap_pid" 2>/dev/null || true
        wait "$bootstrap_pid" 2>/dev/null || true
    fi
    [ -n "$work" ] || return 0
    # debootstrap mounts these while it works; a removal must never walk into them.
    for mounted in proc sys; do
        mountpoint -q "$work/root/$mounted" && umount --lazy "$work/root/$mounted"
    done
    rm -rf --one-file-system "$work"
}

main
