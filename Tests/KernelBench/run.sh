#!/bin/bash
# Boots the guests, lets them run their checks, prints them as a table. Fails if a check failed or a guest did not finish.
#   BIN_DIR      where ferryd and ferry-conformance are (default: what `swift build --show-bin-path` says)
#   BENCH_PATH   how the devices are opened: cdev, group or both (the default: a guest for each)
#   BENCH_ONLY   run only the checks of these groups, for example "kernel" (needs no ferryd)
#   BENCH_LIMIT  seconds after which a guest is killed (default 900)
. "$(dirname "$0")/common.sh"
need_kernel
built=$("$bench/build.sh")
only=${BENCH_ONLY:-}
if [[ $only != kernel ]]; then
  bin=${BIN_DIR:-$(cd "$bench/../.." && swift build --show-bin-path)}
  bin=$(realpath "$bin")
  for program in ferryd ferry-conformance; do
    [[ -x $bin/$program ]] || die "no $program in $bin: build first, or set BIN_DIR"
  done
fi

case ${BENCH_PATH:-both} in
  both) paths=(cdev group) ;;
  cdev | group) paths=("$BENCH_PATH") ;;
  *) die "BENCH_PATH is cdev, group or both, not $BENCH_PATH" ;;
esac

shares=$(mktemp -d)
trap 'rm -rf "$shares"' EXIT
"$bench/build-owner.sh" "$shares/owner"
passed=0 failed=0 started=$SECONDS

# boot PATH: runs one guest to its end, and adds up what became of its checks.
boot() {
  local share=$shares/$1 status=0 good bad began=$SECONDS qemu
  # The one directory the guest can write to.
  mkdir "$share"
  cp -r "$bench/guest" "$share/guest"
  cp "$bench/../Faults/service_manager.py" "$share/guest/"
  cp "$shares/owner" "$share/owner"
  printf '{"bin_dir": "%s", "only": "%s", "path": "%s"}\n' "${bin:-}" "$only" "$1" >"$share/settings.json"

  # TCG always: KVM is not to be had in most CI machines, and the results must not depend on it.
  # Two VFs of an emulated NVMe controller are the functions that plain vfio-pci can hold.
  # shellcheck disable=SC2054  # the commas are QEMU's
  qemu=(qemu-system-x86_64 -machine q35,kernel-irqchip=split -accel tcg,thread=multi -cpu max -m 1024 -smp 2
    -display none -no-reboot -nodefaults -serial stdio -monitor none
    -kernel "$unpacked/boot/vmlinuz-$kernel-amd64" -initrd "$built/initramfs-$1.gz"
    -append "console=ttyS0 intel_iommu=on panic=-1 rdinit=/init loglevel=3"
    -device intel-iommu,intremap=on
    -device pcie-root-port,id=port1,chassis=1,slot=1 -device nvme-subsys,id=subsystem,nqn=bench
    -device nvme,id=nvme,serial=bench,subsys=subsystem,bus=port1,sriov_max_vfs=2,sriov_vq_flexible=4,sriov_vi_flexible=2,max_ioqpairs=6,msix_qsize=5
    -blockdev driver=null-co,node-name=disk,size=67108864,read-zeroes=on -device nvme-ns,drive=disk,bus=nvme,shared=false
    -fsdev local,id=host,path=/,security_model=none,readonly=on,multidevs=remap -device virtio-9p-pci,fsdev=host,mount_tag=host
    -fsdev "local,id=share,path=$share,security_model=none" -device virtio-9p-pci,fsdev=share,mount_tag=share)
  # --foreground: an interrupt from the terminal reaches QEMU too
  timeout --foreground "${BENCH_LIMIT:-900}" "${qemu[@]}" </dev/null 2>&1 | sed -u 's,\r,,g; /reboot: Power down/d' |
    tee "$share/console" || status=$?

  # The table above came over the console as it grew; what counts is the file the guest wrote.
  touch "$share/results"
  good=$(grep -c '^ok ' "$share/results" || true)
  bad=$(grep -c '^not ok ' "$share/results" || true)
  if ! grep -qx 'end' "$share/results"; then
    say "the guest of the path $1 did not reach its end (QEMU ended with $status after $((SECONDS - began)) s)"
    bad=$((bad + 1))
  fi
  if [[ $bad != 0 ]]; then
    { find "$share/logs" -type f -size +0 2>/dev/null || true; } | sort -V | while read -r log; do
      printf -- '---- %s: %s\n' "$1" "$(basename "$log")"
      tail -n 60 "$log"
    done
  fi
  # A path of which no check ran is a failure of its own.
  [[ $((good + bad)) != 0 ]] || bad=1
  passed=$((passed + good)) failed=$((failed + bad))
}

for path in "${paths[@]}"; do boot "$path"; done
printf 'kernel %s under TCG, %d s\n' "$kernel" "$((SECONDS - started))"
printf '%d passed, %d failed\n' "$passed" "$failed"
[[ $failed == 0 ]]
