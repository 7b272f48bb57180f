#!/bin/bash
# build-modules.sh OUT: makes modules for the stock Debian kernel from Debian's own source of the same version:
#   OUT/modules  vfio, iommufd and the patched mtty, with what Debian leaves out: IOMMUFD (and so the cdev), VFIO_DEBUGFS
#   OUT/stock    the patched mtty alone, for Debian's own vfio modules
. "$(dirname "$0")/common.sh"
out=$1
need_kernel
headers=$unpacked/usr/src/linux-headers-$kernel-amd64
source=linux-source-6.12

mkdir -p "$out/source"
xz -dc -T0 "$unpacked/usr/src/$source.tar.xz" |
  tar -C "$out/source" --strip-components=1 -xf - --wildcards "$source/samples/vfio-mdev/mtty.c" "$source/drivers/vfio" \
    "$source/drivers/iommu/*.h" "$source/drivers/iommu/iommufd" "$source/lib/interval_tree.c"
# --batch: never ask, and fail when a hunk does not apply to this version of the kernel
patch --batch --forward -d "$out/source" -p1 <"$bench/mtty-reset.patch"

# One external module tree, because all of it shares the layout of struct vfio_device.
tree=$out/tree
mkdir -p "$tree/iommu"
cp -r "$out/source/drivers/iommu/iommufd" "$tree/iommu/"
cp "$out/source"/drivers/iommu/*.h "$tree/iommu/"
cp -r "$out/source/drivers/vfio" "$tree/"
cp "$out/source/samples/vfio-mdev/mtty.c" "$tree/"

# iommufd uses the span iterator, which vmlinux has only with INTERVAL_TREE_SPAN_ITER.
{ printf '#include <linux/interval_tree.h>\n#include <linux/export.h>\n'
  sed -n '/^#ifdef CONFIG_INTERVAL_TREE_SPAN_ITER/,/^#endif/p' "$out/source/lib/interval_tree.c" | grep -v EXPORT_SYMBOL
} >"$tree/iommu/iommufd/span_iter.c"
echo 'iommufd-y += span_iter.o' >>"$tree/iommu/iommufd/Makefile"
# iova_bitmap is built in upstream and says no licence; a module must
grep -q MODULE_LICENSE "$tree/iommu/iommufd/iova_bitmap.c" ||
  printf '#include <linux/module.h>\nMODULE_LICENSE("GPL v2");\nMODULE_DESCRIPTION("iova bitmap");\n' >>"$tree/iommu/iommufd/iova_bitmap.c"

cat >"$tree/Kbuild" <<'KBUILD'
obj-y += iommu/iommufd/ vfio/
obj-m += mtty.o
subdir-ccflags-y += -DCONFIG_IOMMUFD_MODULE=1 -DCONFIG_VFIO_DEVICE_CDEV=1 -DCONFIG_VFIO_DEBUGFS=1
subdir-ccflags-y += -DCONFIG_IOMMUFD_DRIVER=1 -DCONFIG_INTERVAL_TREE_SPAN_ITER=1
KBUILD

# A tree of its own: an mtty that shares the stock layout of struct vfio_device. It links against Debian's own modules.
stock=$out/stock-tree
mkdir -p "$stock"
cp "$out/source/samples/vfio-mdev/mtty.c" "$stock/"
echo 'obj-m += mtty.o' >"$stock/Kbuild"

# Debian's header package names its other half by an absolute path; ours is only unpacked.
sed -i "s#^include /.*/usr/src/#include $unpacked/usr/src/#; s#^include /usr/src/#include $unpacked/usr/src/#" "$headers/Makefile"
# BTF for modules would need pahole and the vmlinux
kbuild() { make -s -j"$(nproc)" -C "$headers" CONFIG_DEBUG_INFO_BTF_MODULES= "$@" modules; }
kbuild M="$tree" CONFIG_IOMMUFD=m CONFIG_IOMMUFD_DRIVER=m CONFIG_VFIO_DEVICE_CDEV=y CONFIG_VFIO_DEBUGFS=y
kbuild M="$stock"

mkdir -p "$out/modules" "$out/stock"
find "$tree" -name '*.ko' -exec cp -t "$out/modules" {} +
cp "$stock/mtty.ko" "$out/stock/"
strip -g "$out"/modules/*.ko "$out"/stock/*.ko
rm -rf "$out/source" "$tree" "$stock"
