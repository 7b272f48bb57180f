"""What ferryd tells of devices before anything is done with them: facts, holders, coming and going."""

import os
import subprocess
import time

from devices import NVME, PCI, bind_to_vfio, directory, group, held, mttys, new_nonce, virtual_functions
from ferry import Ferryd, one, save
from harness import check, expect, expect_equal


def listed(ferry):
    return {device["id"] for device in ferry.get("/v1/devices?limit=1000")["items"]}


def linked(device, link):
    return os.path.basename(os.readlink(f"{directory(device)}/{link}"))


def text(device, file):
    with open(f"{directory(device)}/{file}", encoding="ascii") as attribute:
        return attribute.read().strip()


@check("An mdev made by hand is told of and listed within a second, and so is its end")
def _():
    with Ferryd() as ferry, ferry.events() as events:
        with mttys(1) as (device,):
            begun = time.monotonic()
            events.until("device.changed", device)
            came = time.monotonic() - begun
            expect(device in listed(ferry), "the new mdev is told of and not listed")
        begun = time.monotonic()
        events.until("device.gone", device)
        went = time.monotonic() - begun
        expect(device not in listed(ferry), "the removed mdev is told of and still listed")
        expect(came < 1 and went < 1, f"told of after {came:.2f} s, and of its end after {went:.2f} s")


@check("A virtual function that is unbound becomes a candidate and comes back, and the events say when")
def _():
    device = virtual_functions()[0]
    address = device.removeprefix("pci-")
    with Ferryd() as ferry, ferry.events() as events:
        with open(f"{PCI}/drivers/vfio-pci/unbind", "w", encoding="ascii") as file:
            file.write(address)
        try:
            events.until("device.changed", device)
            expect("candidate" in ferry.get(f"/v1/devices/{device}"), "unbound, and no candidate")
        finally:
            bind_to_vfio(address)
        events.until("device.changed", device)
        expect("candidate" not in ferry.get(f"/v1/devices/{device}"), "bound again, and a candidate")


@check("While an unbind waits for another process to let a device go, the list answers at once")
def _():
    device = virtual_functions()[1]
    address = device.removeprefix("pci-")
    with Ferryd() as ferry, ferry.events() as events, held(device) as process:
        # The kernel's write blocks until the holder is gone: a process of its own.
        with subprocess.Popen(["/bin/sh", "-c", f"echo {address} >{PCI}/drivers/vfio-pci/unbind"]) as unbind:
            try:
                events.until("device.changed", device)
                for _ in range(3):
                    begun = time.monotonic()
                    listed(ferry)
                    expect(time.monotonic() - begun < 2, "a list took two seconds or more")
                with mttys(1) as (other,):
                    events.until("device.changed", other)
                expect(unbind.poll() is None, "the unbind was over: nothing was waited for")
            finally:
                process.kill()
        expect_equal(unbind.returncode, 0, "exit status of the unbind")
    bind_to_vfio(address)


@check("The facts of a virtual function and of an mtty are those of sysfs")
def _():
    function = virtual_functions()[0]
    with mttys(1) as (mdev,), Ferryd() as ferry:
        told = ferry.get(f"/v1/devices/{function}")
        expect_equal(told["driver"], "vfio-pci", "driver")
        expect_equal(told["iommu_group"], group(function), "group")
        expect(told["isolation"]["viable"], "the group is said to be not viable")
        expect_equal(told["pci"]["physical_function"], NVME, "physical function")
        expect_equal(told["pci"]["reset_methods"], text(function, "reset_method").split(), "reset methods")
        expect_equal(told["pci"]["class_code"], text(function, "class"), "class")
        expect_equal(told["holders"], [], "holders")
        told = ferry.get(f"/v1/devices/{mdev}")
        expect_equal(told["mdev"]["parent"], "mtty", "parent")
        expect_equal(told["mdev"]["type"], linked(mdev, "mdev_type"), "type of the mdev")
        expect_equal(told["device_api"], "vfio-pci", "device API")


@check("debugfs tells the state of a device and that it has migration, and nothing is opened for it", only="cdev")
def _():
    with mttys(1) as (device,), Ferryd() as ferry:
        told = ferry.get(f"/v1/devices/{device}")
        expect_equal(told["vfio_state"], "running", "state")
        expect_equal(told["migration"], {"kind": "state_stream", "flags": ["stop_copy"], "source": "debugfs"}, "support")


@check("What a probe answered is told as such, with its time: three flags of an mtty, none of an NVMe function")
def _():
    function = virtual_functions()[0]
    with mttys(1) as (mdev,), Ferryd() as ferry:
        for device, kind, flags in ((mdev, "state_stream", {"stop_copy", "p2p", "pre_copy"}), (function, "none", set())):
            ferry.post(f"/v1/devices/{device}/probe").require(200)
            migration = ferry.get(f"/v1/devices/{device}")["migration"]
            expect_equal((migration["kind"], set(migration["flags"])), (kind, flags), f"support of {device}")
            expect_equal(migration["source"], "probe", "source")
            expect("probed_at" in migration, "the time of the probe is missing")


@check("A service manager that keeps a session's files is named as such among the holders")
def _():
    with mttys(1) as (device,), Ferryd(kept=True) as ferry:
        ferry.adopt(device, new_nonce())
        told = ferry.get(f"/v1/devices/{device}")
        holder = one(told["holders"], "holder")
        expect_equal((holder["pid"], holder.get("descriptor_store")), (os.getpid(), True), "the holder")
        expect("session" in told, "the session is missing")


@check("A device that another process holds says which, and a session, a probe and a job on it are refused with it")
def _():
    with mttys(1) as (device,), Ferryd() as ferry:
        with held(device) as process:
            holder = one(ferry.get(f"/v1/devices/{device}")["holders"], "holder")
            expect_equal((holder["pid"], holder["uid"]), (process.pid, 0), "pid and user of the holder")
            for path, body in (("/v1/sessions", {"device": device}), (f"/v1/devices/{device}/probe", {}),
                               ("/v1/jobs", save(device))):
                problem = ferry.post(path, body).problem(409, "device-busy")
                expect_equal(one(problem["holders"], "holder")["pid"], process.pid, f"holder by {path}")
                expect(str(process.pid) in problem["detail"], f"the sentence names nobody: {problem['detail']}")
        process.wait()
        expect_equal(ferry.get(f"/v1/devices/{device}")["holders"], [], "holders when it is gone")
        ferry.post("/v1/jobs", save(device)).problem(409, "no-session")
