#!/bin/bash
# Prints where promtool is: on PATH, or taken once out of Debian's package into ~/.cache/ferry. The
# package is not installed: that would start a Prometheus on this machine.
#   NO_INSTALL=1      fetch nothing: fail when there is none
set -euo pipefail
if command -v promtool; then exit 0; fi
cache=${XDG_CACHE_HOME:-$HOME/.cache}/ferry/promtool
if [[ ! -x $cache/usr/bin/promtool ]]; then
  [[ ${NO_INSTALL:-0} != 1 ]] || { echo "promtool.sh: no promtool (NO_INSTALL=1)" >&2; exit 1; }
  command -v apt-get >/dev/null || { echo "promtool.sh: no promtool, and no apt-get" >&2; exit 1; }
  mkdir -p "$(dirname "$cache")"
  making=$(mktemp -d "$cache.XXXXXX")
  trap 'rm -rf "$making"' EXIT
  # _apt, the user that fetches, must get in.
  chmod 0755 "$making"
  (cd "$making" && apt-get -q download prometheus) >&2
  dpkg-deb -x "$making"/prometheus_*.deb "$making/tree"
  mv -T "$making/tree" "$cache" 2>/dev/null || [[ -x $cache/usr/bin/promtool ]]
fi
echo "$cache/usr/bin/promtool"
