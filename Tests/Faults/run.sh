#!/bin/bash
# The fault tests: the real ferryd, killed and starved at every step. See README.md.
#   BIN_DIR           where ferryd and ferry-simd are (default: what `swift build --show-bin-path` says)
#   FAULTS_BUDGET     seconds, about: tries an evenly spread sample and says how many of how many
#   FAULTS_ONLY       groups to run, for example "crash disk"
#   FAULTS_WORKERS    tries side by side (default 2)
#   NO_INSTALL=1      install nothing: say what is missing and fail
set -euo pipefail
export LC_ALL=C
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
say() { printf 'faults: %s\n' "$*" >&2; }
die() { say "$@"; exit 1; }

"$here/../../deploy/setup" gcc libc6-dev python3 mount util-linux
for program in gcc python3; do command -v "$program" >/dev/null || die "there is no $program"; done

bin=$(realpath "${BIN_DIR:-$(cd "$here/../.." && swift build --show-bin-path)}")
[[ -x $bin/ferryd ]] || die "no ferryd in $bin: build first, or set BIN_DIR"

built=$(mktemp -d)
trap 'rm -rf "$built"' EXIT
# No built-ins: what the compiler makes of a loop may be a call that a sanitizer intercepts.
gcc -O2 -Wall -Wextra -Werror -fno-builtin -fno-tree-loop-distribute-patterns -fPIC -shared \
  -o "$built/shim.so" "$here/shim.c"

# A mount namespace of our own, for disks of limited size: as root, or as root of a user namespace.
apart=() why=
for way in 'unshare -m' 'unshare -Urm'; do
  if $way true 2>/dev/null && $way mount -t tmpfs none /mnt 2>/dev/null; then
    read -ra apart <<<"$way"
    break
  fi
done
if ((${#apart[@]} == 0)); then why='the kernel allows neither root nor a user namespace to mount a tmpfs'; fi

status=0
FAULTS_NO_MOUNT=$why PYTHONDONTWRITEBYTECODE=1 \
  "${apart[@]}" python3 "$here/main.py" --bin-dir "$bin" --shim "$built/shim.so" || status=$?
exit "$status"
