#!/bin/bash
# Builds the guests' modules and initramfs, once for each kernel and each version of what makes them.
# Prints the directory that holds them.
. "$(dirname "$0")/common.sh"
need_kernel

made_of=(mtty-reset.patch build-modules.sh build-initramfs.sh common.sh init)
stamp=$( (echo "$kernel"; cd "$bench" && sha256sum "${made_of[@]}") | sha256sum | cut -c 1-16)
built=$cache/$kernel/built-$stamp
if [[ ! -d $built ]]; then
  say "building the modules of kernel $kernel"
  # Built aside and renamed, so that a directory of that name is always whole.
  work=$(mktemp -d "$cache/$kernel/building.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  { "$bench/build-modules.sh" "$work" && "$bench/build-initramfs.sh" "$work" cdev &&
      "$bench/build-initramfs.sh" "$work" group; } >"$work/log" 2>&1 ||
    { tail -n 40 "$work/log" >&2; die "the build of the modules failed"; }
  rm -rf "$cache/$kernel"/built-*
  mv -T "$work" "$built" 2>/dev/null || [[ -d $built ]]
fi
echo "$built"
