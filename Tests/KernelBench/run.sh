#!/bin/bash
# Boots the guest, lets it run its checks, prints them as a table. Fails if a check failed or the guest did not finish.
#   BIN_DIR      where ferryd and ferry-conformance are (default: what `swift build --show-bin-path` says)
#   BENCH_ONLY   run only the checks of these groups, for example "kernel" (needs no ferryd)
#   BENCH_LIMIT  seconds after which the guest is killed (default 600)
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

# The one directory the guest can write to.
share=$(mktemp -d)
trap 'rm -rf "$share"' EXIT
cp -r "$bench/guest" "$share/guest"
"$bench/build-owner.sh" "$share/owner"
printf '{"bin_dir": "%s", "only": "%s"}\n' "${bin:-}" "$only" >"$share/settings.json"

# TCG always: KVM is not to be had in most CI machines, and the results must not depend on it.
# Two VFs of an emulated NVMe controller are the functions that plain vfio-pci can hold.
started=$SECONDS
# shellcheck disable=SC2054  # the commas are QEMU's
qemu=(qemu-system-x86_64 -machine q35,kernel-irqchip=split -accel tcg,thread=multi -cpu max -m 1024 -smp 2
  -display none -no-reboot -nodefaults -serial stdio -monitor none
  -kernel "$unpacked/boot/vmlinuz-$kernel-amd64" -initrd "$built/initramfs.gz"
  -append "console=ttyS0 intel_iommu=on panic=-1 rdinit=/init loglevel=3"
  -device intel-iommu,intremap=on
  -device pcie-root-port,id=port1,chassis=1,slot=1 -device nvme-subsys,id=subsystem,nqn=bench
  -device nvme,id=nvme,serial=bench,subsys=subsystem,bus=port1,sriov_max_vfs=2,sriov_vq_flexible=4,sriov_vi_flexible=2,max_ioqpairs=6,msix_qsize=5
  -blockdev driver=null-co,node-name=disk,size=67108864,read-zeroes=on -device nvme-ns,drive=disk,bus=nvme,shared=false
  -fsdev local,id=host,path=/,security_model=none,readonly=on,multidevs=remap -device virtio-9p-pci,fsdev=host,mount_tag=host
  -fsdev "local,id=share,path=$share,security_model=none" -device virtio-9p-pci,fsdev=share,mount_tag=share)
status=0
# --foreground: an interrupt from the terminal reaches QEMU too
timeout --foreground "${BENCH_LIMIT:-600}" "${qemu[@]}" </dev/null 2>&1 | sed -u 's,\r,,g; /reboot: Power down/d' | tee "$share/console" || status=$?

# The table above came over the console as it grew; what counts is the file the guest wrote.
results=$share/results
touch "$results"
passed=$(grep -c '^ok ' "$results" || true)
failed=$(grep -c '^not ok ' "$results" || true)
if ! grep -qx 'end' "$results"; then
  say "the guest did not reach its end (QEMU ended with $status after $((SECONDS - started)) s)"
  failed=$((failed + 1))
fi
if [[ $failed != 0 ]]; then
  find "$share/logs" -type f -size +0 2>/dev/null | sort -V | while read -r log; do
    printf -- '---- %s\n' "$(basename "$log")"
    tail -n 60 "$log"
  done
fi
printf 'kernel %s under TCG, %d s\n' "$kernel" "$((SECONDS - started))"
printf '%d passed, %d failed\n' "$passed" "$failed"
[[ $failed == 0 && $passed != 0 ]]
