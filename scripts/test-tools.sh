#!/usr/bin/env bash
# Makes sure that the tools are there which only the tests need: strace to kill and fail the programs at every system
# call, mkfs.ext4 for disks that lose power, mkfs.btrfs and mkfs.xfs for disks with limits, Podman as another engine, a C++
# compiler for the fuzzer, shellcheck, a validator of JSON Schema, jq for the reader in shell, tmux for the dashboard, mandoc
# and the shells for manual pages and completions, and an emulator of the other architecture.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source-path=SCRIPTDIR
. "$root/scripts/common.sh"
# Where a user who is not root finds no mkfs.
PATH=$PATH:/usr/sbin:/sbin

# Each tool and the Debian package that has it.
TOOLS=(
    strace:strace mkfs.ext4:e2fsprogs c++:g++ shellcheck:shellcheck
    jsonschema:python3-jsonschema jq:jq mandoc:mandoc zsh:zsh fish:fish qemu-aarch64:qemu-user
    openssl:openssl ssh:openssh-client podman:podman catatonit:catatonit
    tmux:tmux mkfs.btrfs:btrfs-progs mkfs.xfs:xfsprogs
)

# Where a service manager runs, installing an ssh server starts one for everybody: that is for its owner to decide.
if [ ! -d /run/systemd/system ]; then
    TOOLS+=(sshd:openssh-server)
elif ! command -v sshd >/dev/null; then
    die "the tests need an sshd for one of their own on loopback; installing openssh-server also starts one for all, so do it yourself, then run this again"
fi

missing=()
for tool in "${TOOLS[@]}"; do
    command -v "${tool%%:*}" >/dev/null || missing+=("${tool##*:}")
done
[ "${#missing[@]}" -gt 0 ] || exit 0
if ! is_debian_like || [ "$(id -u)" -ne 0 ]; then
    die "the tests need ${missing[*]}, and only root on Debian or Ubuntu can have them installed from here: install them, then run this again"
fi
apt_install "${missing[@]}"
