"""What the kernel itself does: the ground the other checks stand on."""

import os

from devices import held, mttys, new_nonce, node, owner, virtual_functions
from harness import Failed, check, expect, expect_equal, path
from kernellog import KernelLog, kernel_state


@check("The guest has Debian's own modules: no iommufd, no character device, and a group for a new mtty", only="group")
def _():
    with mttys(1) as (device,):
        expect(not os.path.exists("/dev/iommu"), "/dev/iommu exists")
        expect(not os.path.exists("/dev/vfio/devices"), "/dev/vfio/devices exists")
        expect(os.path.exists("/dev/vfio/vfio") and os.path.exists(node(device)), "there is no container or no group")


@check("The guest has iommufd, and a new mtty has a character device of its own", only="cdev")
def _():
    with mttys(1):
        expect(os.path.exists("/dev/iommu"), "/dev/iommu is missing")
        expect(os.listdir("/dev/vfio/devices"), "/dev/vfio/devices is empty")


@check("mtty offers stop-copy, P2P and pre-copy")
def _():
    with mttys(1) as (device,):
        expect_equal(owner("flags", device), "7", "migration flags")


@check("A nonce in mtty survives while a duplicate of its descriptor is open")
def _():
    with mttys(1) as (device,):
        nonce = new_nonce()
        expect_equal(owner("dup", device, nonce), nonce, "nonce read by the duplicate")


@check("A nonce in mtty is lost with the last close")
def _():
    with mttys(1) as (device,):
        owner("write", device, new_nonce())
        expect_equal(owner("read", device), "0" * 16, "nonce after a reopen")


@check("mtty stopped by a program that ends is found RUNNING, and the kernel's log shows the steps")
def _():
    with mttys(1) as (device,), KernelLog() as log:
        owner("set", device, "1")
        expect_equal(log.path(device), ["RUNNING", "RUNNING_P2P", "STOP"], "steps in the kernel's log")
        expect_equal(kernel_state(device), "RUNNING", "state after the last close")


@check("A second program cannot open an mtty that is held")
def _():
    refusal = "BIND_IOMMUFD: Invalid argument" if path() == "cdev" else "Device or resource busy"
    with mttys(1) as (device,), held(device):
        try:
            owner("flags", device)
        except Failed as failure:
            expect(refusal in str(failure), f"refused otherwise: {failure}")
        else:
            raise Failed("the second open succeeded")


@check("An NVMe virtual function on plain vfio-pci has no migration: ENOTTY")
def _():
    expect_equal(owner("flags", virtual_functions()[0]), "ENOTTY", "answer to the MIGRATION feature")
