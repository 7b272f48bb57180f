#!/bin/bash
# Runs every Swift suite. A run that does not end is ended, and says which tests it waited for.
#   TEST_SECONDS   for the run itself, without the build (default 900)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
seconds=${TEST_SECONDS:-900}

swift build --build-tests
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
# By lines, so that nothing that was said is lost in a buffer when it is ended. The tests are in a
# process group of their own, which SwiftPM ends at an interrupt and at no other signal.
timeout --foreground --signal=INT --kill-after=40 "$seconds" stdbuf -oL swift test --skip-build --disable-xctest 2>&1 |
  tee "$log" || status=$?
if ((status == 124 || status == 137)); then
  printf '\nThe run did not end within %d s. Begun and not ended:\n' "$seconds"
  sed -nE 's/^[^ ]+ Test (".*|[^ ]+\(.*\)) started\.$/begun \1/p
    s/^[^ ]+ Test (.*) (passed|failed) after .*/ended \1/p' "$log" |
    awk '{ sub(/ with [0-9]+ test cases?$/, ""); verb = $1; sub(/^[^ ]+ /, "") }
      verb == "begun" { begun[$0] } verb == "ended" { delete begun[$0] }
      END { for (name in begun) print "  " name }'
fi
exit "$status"
