"""The guest's devices: mtty mdevs, NVMe VFs, and the owner program that uses them."""

import contextlib
import functools
import os
import secrets
import subprocess
import uuid

from harness import SHARE, Failed, wait_until

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
    wait_until(lambda: os.path.exists(cdev_directory(f"mdev-{name}")), "the new mdev's cdev")
    return f"mdev-{name}"


@contextlib.contextmanager
def mttys(count):
    """Some fresh mttys, removed at the end of the block; by then nobody may hold them."""
    devices = [create_mtty() for _ in range(count)]
    try:
        yield devices
    finally:
        for device in devices:
            write(f"{MDEVS}/{device.removeprefix('mdev-')}/remove", "1")


def cdev_directory(device):
    kind, name = device.split("-", 1)
    return f"{MDEVS}/{name}/vfio-dev" if kind == "mdev" else f"{PCI}/devices/{name}/vfio-dev"


def kernel_state(device):
    """The migration state as debugfs tells it, without opening the device and without asking ferryd."""
    name = device.split("-", 1)[1]
    with open(f"/sys/kernel/debug/vfio/{name}/migration/state", encoding="ascii") as file:
        return file.read().strip()


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
    wait_until(lambda: os.path.exists(cdev_directory(f"pci-{address}")), f"the cdev of {address}")


def owner(*arguments):
    """Runs the owner program to its end; returns what it printed."""
    done = subprocess.run([OWNER, *arguments], capture_output=True, text=True, timeout=60, check=False)
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
