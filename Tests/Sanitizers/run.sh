#!/bin/bash
# Runs every test under one sanitizer: run.sh thread | address. Each has a build folder of its own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
sanitizer=$1
case $sanitizer in
  thread) export TSAN_OPTIONS="suppressions=$PWD/Tests/Sanitizers/thread.supp:halt_on_error=0:exitcode=66" ;;
  address) export ASAN_OPTIONS=detect_leaks=0 ;; # the leaks of Foundation.Process hide our own
  *) echo "run.sh thread|address" >&2; exit 2 ;;
esac
swift test --disable-xctest --sanitize="$sanitizer" --scratch-path ".build-$sanitizer"
