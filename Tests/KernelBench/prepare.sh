#!/bin/bash
# Installs the programs the bench needs and unpacks Debian's newest 6.12 kernel into the cache.
# NO_INSTALL=1: change nothing, name what is missing and fail. Needs no network once the cache is filled.
. "$(dirname "$0")/common.sh"

# libelf1 and libssl3: the kernel's own build tools (objtool, modpost) link them.
programs=(qemu-system-x86 seabios busybox-static cpio kmod gcc libc6-dev make patch xz-utils python3 libelf1 libssl3)

as_root() { if [[ $(id -u) == 0 ]]; then "$@"; else sudo "$@"; fi; }
apt_as_root() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 "$@"; }

missing_programs() {
  local p
  for p in "${programs[@]}"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null || true) == installed ]] || echo "$p"
  done
}

packages_of() { # every package of one kernel; the source is built against exactly these headers
  echo "linux-image-$1-amd64-unsigned linux-headers-$1-amd64 linux-headers-$1-common linux-kbuild-$1 linux-source-6.12"
}

# Prints "KERNEL DEBIAN-VERSION" of the newest 6.12 of which apt knows every package in one version.
# Old builds vanish from the archive, so the version is looked up and never written down.
newest_kernel() {
  local k v names
  while read -r k; do
    read -ra names <<<"$(packages_of "$k")"
    v=$(apt-cache madison "${names[@]}" | awk '{ print $1, $3 }' | sort -u | awk '{ print $2 }' | sort -V |
        uniq -c | awk -v n="${#names[@]}" '$1 == n { v = $2 } END { print v }')
    if [[ -n $v ]]; then echo "$k $v"; return; fi
  done < <(apt-cache search -n '^linux-headers-6\.12\.[0-9]+\+deb12-amd64$' |
           sed -E 's/^linux-headers-(.*)-amd64 .*/\1/' | sort -rV)
}

work=
trap 'rm -rf "$work"' EXIT
unpack_kernel() { # KERNEL DEBIAN-VERSION. Called as a condition, so no failure ends it by itself.
  local p wanted=()
  rm -rf "$work"
  work=$(mktemp -d "$cache/unpack.XXXXXX") || return 1
  for p in $(packages_of "$1"); do wanted+=("$p=$2"); done
  say "downloading: ${wanted[*]}"
  # Not installed: no hooks, no boot loader, no root. The sandbox user cannot write to a home directory.
  (cd "$work" && apt-get -o APT::Sandbox::User=root download "${wanted[@]}") || return 1
  for p in "$work"/*.deb; do
    dpkg -x "$p" "$work/root" && rm "$p" || return 1
  done
  mv -T "$work" "$cache/$1" 2>/dev/null || [[ -d $cache/$1 ]]   # or somebody else was faster
}

mapfile -t missing < <(missing_programs)
read -r kernel version <<<"$(newest_kernel)" || true
need_download=no
if [[ -n ${kernel:-} ]]; then [[ -d $cache/$kernel ]] || need_download=yes
else [[ -n $(cached_kernel) ]] || need_download=yes; fi

if [[ ${NO_INSTALL:-0} == 1 ]]; then
  # An older kernel in the cache is good enough here: the bench runs with it.
  [[ -n $(cached_kernel) ]] && need_download=no
  [[ ${#missing[@]} == 0 ]] || say "missing packages (NO_INSTALL=1): ${missing[*]}"
  [[ $need_download == no ]] || say "missing in $cache (NO_INSTALL=1): $(packages_of "${kernel:-6.12.N+deb12}")"
  [[ ${#missing[@]} == 0 && $need_download == no ]] || exit 1
  say "nothing is missing; kernel $(cached_kernel)"
  exit 0
fi

if [[ ${#missing[@]} != 0 ]]; then
  say "installing: ${missing[*]}"
  apt_as_root install -y --no-install-recommends "${missing[@]}" ||
    { apt_as_root update && apt_as_root install -y --no-install-recommends "${missing[@]}"; }
fi

if [[ $need_download == yes ]]; then
  mkdir -p "$cache"
  if [[ -z ${kernel:-} ]] || ! unpack_kernel "$kernel" "$version"; then
    # The package lists may be missing, or older than the archive.
    apt_as_root update || true
    read -r kernel version <<<"$(newest_kernel)" || true
    if [[ -z ${kernel:-} ]] || ! { [[ -d $cache/$kernel ]] || unpack_kernel "$kernel" "$version"; }; then
      [[ -n $(cached_kernel) ]] || die "no kernel: apt offers none of 6.12 for Debian 12 (bookworm-security), or could not download it, and none is cached"
      say "no newer kernel to be had; using the cached one"
    fi
  fi
fi
say "ready: kernel $(cached_kernel)"
