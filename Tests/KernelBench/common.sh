# shellcheck shell=bash
# Sourced by the scripts of the kernel bench: where things are kept, and which kernel is used.
set -euo pipefail
export LC_ALL=C

bench=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# Outside the tree: half a gigabyte of unpacked kernel is neither source nor build product.
cache=${FERRY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ferry}/kernel-bench

say() { printf 'kernel bench: %s\n' "$*" >&2; }
die() { say "$@"; exit 1; }

# The newest kernel that `prepare` has unpacked whole (its directory appears by one rename).
cached_kernel() {
  [[ -d $cache ]] || return 0
  find "$cache" -mindepth 1 -maxdepth 1 -name '6.12.*+deb12' -printf '%f\n' | sort -V | tail -n 1
}

need_kernel() {
  kernel=$(cached_kernel)
  [[ -n $kernel ]] || die "no kernel in $cache: run '$bench/bench.sh prepare' first"
  # shellcheck disable=SC2034  # for the script that sourced this
  unpacked=$cache/$kernel/root
}
