"""Devices that are busy, cannot migrate, or are taken away."""

import subprocess

from devices import PCI, bind_to_vfio, held, mttys, new_nonce, owner, virtual_functions
from ferry import Ferryd, migrate, one, save
from harness import check, expect, expect_equal, wait_until


@check("A device that another process holds is refused with 409 and the holder's pid and command")
def _():
    with mttys(1) as (device,), Ferryd() as ferry, held(device) as process:
        problem = ferry.post("/v1/sessions", {"device": device}).problem(409, "device-busy")
        holder = one(problem["holders"], "holder")
        expect_equal(holder["pid"], process.pid, "pid of the holder")
        expect("owner" in holder["command"], f"command of the holder: {holder['command']}")


@check("A device locked by a job is refused with 409 and the job that blocks it")
def _():
    with mttys(2) as (source, target), Ferryd() as ferry:
        ferry.adopt(source, new_nonce())
        ferry.open(target)
        job = ferry.submit(migrate(source, target, switchover={"mode": "manual"}))
        answer = ferry.post("/v1/jobs", save(source))
        expect_equal(answer.problem(409, "device-busy")["blocking_job"], job["id"], "the blocking job")
        expect(answer.headers["Retry-After"], "the refusal has no Retry-After")


@check("A save of a device that nobody handed in or opened is refused with 409: no session")
def _():
    with mttys(1) as (device,), Ferryd() as ferry:
        ferry.post("/v1/jobs", save(device)).problem(409, "no-session")
        expect_equal(owner("flags", device), "7", "flags read by an owner, so the device was left alone")


@check("Over TCP the list of devices shows the mttys and both NVMe virtual functions")
def _():
    with mttys(2) as devices, Ferryd() as ferry:
        expected = {*devices, *virtual_functions()}
        listed = {device["id"] for device in ferry.get("/v1/devices?limit=1000", over_tcp=True)["items"]}
        expect(expected <= listed, f"missing: {expected - listed}")


@check("A probe of an mtty tells its stream and its three flags")
def _():
    with mttys(1) as (device,), Ferryd() as ferry:
        migration = ferry.post(f"/v1/devices/{device}/probe").require(200)["migration"]
        expect_equal(migration["kind"], "state_stream", "migration support")
        expect_equal(set(migration["flags"]), {"stop_copy", "p2p", "pre_copy"}, "migration flags")


@check("A probe of an NVMe virtual function on plain vfio-pci tells that it has no migration")
def _():
    device = virtual_functions()[0]
    with Ferryd() as ferry:
        migration = ferry.post(f"/v1/devices/{device}/probe").require(200)["migration"]
        expect_equal(migration["kind"], "none", "migration support")


@check("A save of an NVMe virtual function on plain vfio-pci is refused with 422: not migratable, ENOTTY")
def _():
    device = virtual_functions()[0]
    with Ferryd() as ferry:
        ferry.open(device)
        problem = ferry.post("/v1/jobs", save(device)).problem(422, "not-migratable")
        expect_equal(problem.get("errno"), "ENOTTY", "errno of the refusal")


@check("When a held virtual function is unbound, ferryd lets it go and the unbind completes")
def _():
    device = virtual_functions()[1]
    address = device.removeprefix("pci-")
    with Ferryd() as ferry:
        session = ferry.open(device)
        # The kernel's write blocks until every descriptor is closed: a process of its own.
        with subprocess.Popen(["/bin/sh", "-c", f"echo {address} >{PCI}/drivers/vfio-pci/unbind"]) as unbind:
            try:
                wait_until(lambda: unbind.poll() is not None, "end of the unbind", seconds=40)
            except AssertionError:
                ferry.kill()  # or the unbind would never end, and nor would this check
                raise
        expect_equal(unbind.returncode, 0, "exit status of the unbind")
        wait_until(lambda: ferry.get(f"/v1/sessions/{session}")["status"] != "open", "end of the session")
    bind_to_vfio(address)
