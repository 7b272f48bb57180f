"""What the kernel itself does: the ground the other checks stand on."""

import os

from devices import Holder, create_mdev, kernel_state, new_nonce, owner, remove_mdev, virtual_functions
from harness import check, expect, expect_equal


@check("The guest has iommufd, and a new mtty gets a character device of its own")
def _():
    device = create_mdev()
    expect(os.path.exists("/dev/iommu"), "/dev/iommu is missing")
    expect(os.listdir("/dev/vfio/devices"), "/dev/vfio/devices is empty")
    remove_mdev(device)


@check("mtty offers stop-copy, P2P and pre-copy")
def _():
    device = create_mdev()
    expect_equal(owner("flags", device), "7", "migration flags")
    expect_equal(kernel_state(device), "RUNNING", "state in debugfs")
    remove_mdev(device)


@check("A nonce in mtty survives while a duplicate of its descriptor is open")
def _():
    device, nonce = create_mdev(), new_nonce()
    expect_equal(owner("dup", device, nonce), nonce, "nonce read by the duplicate")
    remove_mdev(device)


@check("A nonce in mtty is lost with the last close")
def _():
    device, nonce = create_mdev(), new_nonce()
    owner("write", device, nonce)
    expect_equal(owner("read", device), "0" * 16, "nonce after a reopen")
    remove_mdev(device)


@check("A second program cannot bind a device that is held")
def _():
    device = create_mdev()
    with Holder(device):
        try:
            owner("flags", device)
        except AssertionError as failure:
            expect("BIND_IOMMUFD: Invalid argument" in str(failure), f"refused otherwise: {failure}")
        else:
            expect(False, "the second bind succeeded")
    remove_mdev(device)


@check("An NVMe virtual function on plain vfio-pci has no migration: ENOTTY")
def _():
    expect_equal(owner("flags", virtual_functions()[0]), "ENOTTY", "answer to the MIGRATION feature")
