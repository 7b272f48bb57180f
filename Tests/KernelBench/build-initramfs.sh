#!/bin/bash
# build-initramfs.sh OUT PATH: busybox, the modules in the order of loading, and ./init; to OUT/initramfs-PATH.gz
#   cdev   the rebuilt modules: iommufd and character devices
#   group  Debian's own modules, which have groups and containers alone
. "$(dirname "$0")/common.sh"
out=$1 opened_by=$2
need_kernel
PATH=$PATH:/usr/sbin:/sbin   # depmod, modprobe: a normal user's PATH lacks them

# Ours in the order of their dependencies; the stock ones of Debian by name.
stock=(9p 9pnet_virtio overlay irqbypass nvme)
case $opened_by in
  cdev) ours=(modules/{iova_bitmap,iommufd,vfio,vfio_iommu_type1,mdev,vfio-pci-core,vfio-pci,mtty}) ;;
  group) stock+=(vfio vfio_iommu_type1 mdev vfio-pci) ours=(stock/mtty) ;;
  *) die "no path $opened_by" ;;
esac

work=$(mktemp -d "$out/initramfs.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{bin,dev,proc,sys,host,over,guest,modules}
cp /bin/busybox "$work/bin/"
install -m 755 "$bench/init" "$work/init"

depmod -b "$unpacked" "$kernel-amd64"
n=100
add() { cp "$1" "$work/modules/$((n++))-$(basename "$1")"; }
for m in "${stock[@]}"; do
  while read -r _ path _; do
    name=$(basename "$path" .xz)
    compgen -G "$work/modules/*-$name" >/dev/null && continue
    case $path in
      *.xz) xz -dc "$path" >"$out/$name"; add "$out/$name"; rm "$out/$name" ;;
      *) add "$path" ;;
    esac
  done < <(modprobe -d "$unpacked" -S "$kernel-amd64" --show-depends "$m" | grep '^insmod')
done
for m in "${ours[@]}"; do add "$out/$m.ko"; done

(cd "$work" && find . | cpio -o -H newc --quiet --owner=0:0) | gzip -1 >"$out/initramfs-$opened_by.gz"
