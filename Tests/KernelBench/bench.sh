#!/bin/bash
# The kernel bench: a real kernel's VFIO migration, without hardware.
#   bench.sh            prepare, build, run
#   bench.sh prepare    install and download what is missing (NO_INSTALL=1: only say what)
#   bench.sh build      build the guest's modules and initramfs
#   bench.sh run        boot the guest and run the checks
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
case ${1:-all} in
  prepare) "$here/prepare.sh" ;;
  build) "$here/build.sh" ;;
  run) "$here/run.sh" ;;
  all) "$here/prepare.sh"; "$here/run.sh" ;;   # run builds what is not built
  *) sed -n '2,6s/^# //p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
