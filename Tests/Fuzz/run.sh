#!/bin/bash
# Fuzzes what reads the text of strangers, with libFuzzer and the address sanitizer. See README.md.
#   FUZZ_SECONDS   for each target (default 60); two run side by side
#   FUZZ_ONLY      targets to run, for example "json routes"
#   FUZZ_CORPUS    where inputs that were found are kept (default ~/.cache/ferry/fuzz)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../.."
seconds=${FUZZ_SECONDS:-60}
found=${FUZZ_CORPUS:-${XDG_CACHE_HOME:-$HOME/.cache}/ferry/fuzz}
read -ra targets <<<"${FUZZ_ONLY:-json routes filter manifest archive sysfs journal}"

export FERRY_FUZZ=1 # Package.swift then has the target
build=(swift build --scratch-path .build-fuzz --product ferry-fuzz --sanitize fuzzer --sanitize address)
"${build[@]}" 2>&1 | grep -v 'ld.gold: warning: Cannot export local symbol'
fuzz=$("${build[@]}" --show-bin-path)/ferry-fuzz

# The leaks of Foundation and of the runtime's own caches are none of ours.
export ASAN_OPTIONS=detect_leaks=0
# A trap is libFuzzer's to report, which keeps the input.
export SWIFT_BACKTRACE=enable=no
artifacts=$(mktemp -d)

# try TARGET: searches, and leaves its log and any input that fails in $artifacts.
try() {
  local target=$1 length=4096
  case $target in sysfs | archive) length=16384 ;; esac # trees and archives are long
  mkdir -p "$found/$target"
  FERRY_FUZZ_TARGET=$target "$fuzz" -max_total_time="$seconds" -max_len="$length" -timeout=10 \
    -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0 -artifact_prefix="$artifacts/$target-" \
    "$found/$target" "$here/corpus/$target" >"$artifacts/$target.log" 2>&1 || true
}

# tell TARGET: says how it went; fails when an input fails, or when there was no search.
tell() {
  local target=$1 log=$artifacts/$1.log input
  if grep -q '^stat::number_of_executed_units' "$log" &&
    ! compgen -G "$artifacts/$target-*" >/dev/null; then
    printf 'ok    %-10s %9d inputs, %6d a second, %d MB\n' "$target" \
      $(sed -nE 's/^stat::(number_of_executed_units|average_exec_per_sec|peak_rss_mb): +//p' "$log")
    return
  fi
  printf 'FAIL  %s\n' "$target"
  tail -n 40 "$log"
  for input in "$artifacts/$target-"*; do
    if [[ -e $input ]]; then printf 'input, in base 64: %s\n' "$(base64 -w0 <"$input")"; fi
  done
  return 1
}

printf 'fuzz: %d s for each of %s\n' "$seconds" "${targets[*]}"
running=0
for target in "${targets[@]}"; do
  if ((running == 2)); then
    wait -n
    running=1
  fi
  try "$target" &
  running=$((running + 1))
done
wait

passed=0 failed=0
for target in "${targets[@]}"; do
  if tell "$target"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
done
printf '%d passed, %d failed\n' "$passed" "$failed"
((failed == 0))
rm -rf "$artifacts"
