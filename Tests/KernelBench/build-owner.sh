#!/bin/bash
# build-owner.sh OUT: compiles owner.c against the guest kernel's own headers (the distribution's are too old).
. "$(dirname "$0")/common.sh"
need_kernel
include=$(mktemp -d)
trap 'rm -rf "$include"' EXIT
mkdir "$include/linux"
# Only these two: the rest of the kernel's unprocessed headers is not meant for programs.
cp "$unpacked/usr/src/linux-headers-$kernel-common/include/uapi/linux"/{vfio,iommufd}.h "$include/linux/"
# -D__user=: a mark of the kernel, which `make headers_install` would strip
gcc -std=gnu11 -O1 -Wall -Wextra -Werror -static -D__user= -isystem "$include" -I "$bench/../../Sources/CWorkload/include" \
  -o "$1" "$bench/owner.c"
