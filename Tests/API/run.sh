#!/bin/bash
# The API's tests against a real ferryd on simulated devices. See README.md.
#   BIN_DIR           where ferryd is (default: what `swift build --show-bin-path` says)
#   API_ONLY          groups to run, for example "fuzz http"
#   API_BUDGET        seconds, about, for what can go on for ever (default 120)
#   NO_INSTALL=1      install nothing: say what is missing and fail
set -euo pipefail
export LC_ALL=C.UTF-8
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
say() { printf 'test-api: %s\n' "$*" >&2; }
die() { say "$@"; exit 1; }

# Where a Python of another origin brings venv along, the packages are not looked at.
if ! python3 -c 'import ensurepip, venv' 2>/dev/null || ! command -v curl >/dev/null; then
  "$here/../../deploy/setup" python3 python3-venv curl
fi
for program in python3 curl; do command -v "$program" >/dev/null || die "there is no $program"; done

# The Python packages, once: named by what they are made from, complete when it is there.
pins=$(python3 -c 'import sys; print(sys.version_info[:2])' |
  cat - "$here/requirements.txt" "$here/constraints.txt" | sha256sum | cut -c1-16)
venv=${XDG_CACHE_HOME:-$HOME/.cache}/ferry/test-api/$pins
if [[ ! -x $venv/bin/python ]]; then
  [[ ${NO_INSTALL:-0} != 1 ]] || die "missing Python packages (NO_INSTALL=1): $venv"
  say "installing Python packages in $venv"
  mkdir -p "$(dirname "$venv")"
  making=$(mktemp -d "$venv.XXXXXX")
  trap 'rm -rf "$making"' EXIT
  python3 -m venv "$making"
  "$making/bin/python" -m pip --disable-pip-version-check -q install \
    -r "$here/requirements.txt" -c "$here/constraints.txt" >&2
  # Programs in bin name the folder they were made in; we only ever start modules, by its python.
  mv -T "$making" "$venv" 2>/dev/null || [[ -x $venv/bin/python ]] || die "cannot make $venv"
fi

bin=$(realpath "${BIN_DIR:-$(cd "$here/../.." && swift build --show-bin-path)}")
[[ -x $bin/ferryd ]] || die "no ferryd in $bin: build first, or set BIN_DIR"

PYTHONDONTWRITEBYTECODE=1 exec "$venv/bin/python" "$here/main.py" --bin-dir "$bin"
