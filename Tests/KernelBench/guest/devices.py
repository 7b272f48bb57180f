"""The guest's devices: mtty mdevs, NVMe VFs, and the owner program that uses them."""

import contextlib
import functools
import os
import secrets
import subprocess
import uuid

from harness import SHARE, Failed, path, wait_until

MTTY_TYPE = "/sys/class/mdev_bus/mtty/mdev_supported_types/mtty-2"
MDEVS = "/sys/bus/mdev/devices"
PCI = "/sys/bus/pci"
NVME = "0000:01:00.0"  # the only function behind the guest's one root port
OWNER = f"{SHARE}/owner"


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def new_nonce():
    return secrets.token_hex(8)


def create_mtty():
    """A fresh two-port mtty; returns its id in Ferry."""
    name = str(uuid.uuid4())
    write(f"{MTTY_TYPE}/create", name)
    device = f"mdev-{name}"
    wait_until(lambda: os.path.exists(node(device)), "the new mdev's node")
    return device


@contextlib.contextmanager
def mttys(count):
    """Some fresh mttys, removed at the end of the block; by then nobody may hold them."""
    devices = [create_mtty() for _ in range(count)]
    try:
        yield devices
    finally:
        for device in devices:
            write(f"{MDEVS}/{device.removeprefix('mdev-')}/remove", "1")


def directory(device):
    kind, name = device.split("-", 1)
    return f"{MDEVS if kind == 'mdev' else PCI + '/devices'}/{name}"


def group(device):
    """The number of the device's IOMMU group; "" while it has none."""
    link = f"{directory(device)}/iommu_group"
    return os.path.basename(os.readlink(link)) if os.path.islink(link) else ""


def node(device):
    """What this guest's path opens: the device's character device, or its group; "" while there is none."""
    if path() == "group":
        return f"/dev/vfio/{group(device)}" if group(device) else ""
    cdevs = f"{directory(device)}/vfio-dev"
    names = os.listdir(cdevs) if os.path.isdir(cdevs) else []
    return f"/dev/vfio/devices/{names[0]}" if names else ""


@functools.cache
def virtual_functions():
    """Two VFs of the NVMe controller on plain vfio-pci, made at first use; returns their ids in Ferry."""
    physical = f"{PCI}/devices/{NVME}"
    write(f"{physical}/sriov_drivers_autoprobe", "0")
    write(f"{physical}/sriov_numvfs", "2")
    addresses = [os.path.basename(os.readlink(f"{physical}/virtfn{i}")) for i in range(2)]
    for address in addresses:
        bind_to_vfio(address)
    return [f"pci-{address}" for address in addresses]


def bind_to_vfio(address):
    write(f"{PCI}/devices/{address}/driver_override", "vfio-pci")
    write(f"{PCI}/drivers_probe", address)
    wait_until(lambda: os.path.exists(node(f"pci-{address}")), f"the node of {address}")


def owner(*arguments, by=None):
    """Runs the owner program to its end, on the path `by` or the guest's own; returns what it printed."""
    environment = {**os.environ, "OWNER_PATH": by or path()}
    done = subprocess.run([OWNER, *arguments], capture_output=True, text=True, timeout=60, check=False,
                          env=environment)
    if done.returncode != 0:
        raise Failed(f"owner {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()


@contextlib.contextmanager
def held(device):
    """A process that holds the device until the end of the block."""
    with subprocess.Popen([OWNER, "hold", device], stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout.readline().strip() != "holding":
                raise Failed("the holder could not open the device")
            yield process
        finally:
            process.kill()
