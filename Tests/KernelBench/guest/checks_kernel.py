"""What the kernel itself does: the ground the other checks stand on."""

import os

from devices import held, kernel_state, mttys, new_nonce, owner, virtual_functions
from harness import Failed, check, expect, expect_equal
from kernellog import KernelLog


@check("The guest has iommufd, and a new mtty has a character device of its own")
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


@check("A second program cannot bind an mtty that is held")
def _():
    with mttys(1) as (device,), held(device):
        try:
            owner("flags", device)
        except Failed as failure:
            expect("BIND_IOMMUFD: Invalid argument" in str(failure), f"refused otherwise: {failure}")
        else:
            raise Failed("the second bind succeeded")


@check("An NVMe virtual function on plain vfio-pci has no migration: ENOTTY")
def _():
    expect_equal(owner("flags", virtual_functions()[0]), "ENOTTY", "answer to the MIGRATION feature")
