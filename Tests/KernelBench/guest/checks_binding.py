"""Devices that change hands by the API, and what the kernel says to it."""

import os
import sqlite3
import uuid

from devices import MDEVS, NVME, PCI, directory, held, mttys, node, virtual_functions
from ferry import Ferryd, one
from harness import check, expect, expect_equal, wait_until

PHYSICAL = f"pci-{NVME}"
TYPE = {"parent": "mtty", "type": "mtty-2"}


def driver(device):
    link = f"{directory(device)}/driver"
    return os.path.basename(os.readlink(link)) if os.path.islink(link) else None


def override(device):
    with open(f"{directory(device)}/driver_override", encoding="ascii") as file:
        return file.read().strip()


def shown(ferry, devices):
    """The list by id, when it has all of the devices."""
    listed = {item["id"]: item for item in ferry.get("/v1/devices?limit=1000")["items"]}
    return listed if listed.keys() >= set(devices) else None


def functions():
    return sum(name.startswith("virtfn") for name in os.listdir(f"{PCI}/devices/{NVME}"))


@check("A virtual function is given back to the host and bound to vfio-pci again, by the API")
def _():
    device = virtual_functions()[0]
    with Ferryd() as ferry:
        loose = ferry.post(f"/v1/devices/{device}/unbind").require(200)
        expect(driver(device) != "vfio-pci", "the kernel still has it on vfio-pci")
        expect_equal(loose.get("driver"), driver(device), "driver in the answer")
        expect(override(device) in ("", "(null)"), f"the override stayed: {override(device)}")
        expect(not os.path.exists(node(device)), f"the unbound function has a node: {node(device)}")
        bound = ferry.post(f"/v1/devices/{device}/bind").require(200)
        expect_equal(driver(device), "vfio-pci", "driver the kernel shows")
        expect_equal((bound["driver"], "candidate" in bound), ("vfio-pci", False), "the device in the answer")
        expect_equal(override(device), "vfio-pci", "override")
        wait_until(lambda: os.path.exists(node(device)), "the function's node")
        ferry.open(device)


@check("A driver that does not take the function is refused with its errno, and the function is as it was")
def _():
    device = virtual_functions()[0]
    with Ferryd() as ferry:
        problem = ferry.post(f"/v1/devices/{device}/unbind", {"driver": "pcieport"}).problem(409, "kernel-refused")
        expect_equal(problem["errno"], "ENODEV", "errno")
        expect("drivers/pcieport/bind" in problem["operation"], f"file: {problem['operation']}")
        expect(all(reason.startswith("Undone") for reason in problem["reasons"]), f"undone: {problem['reasons']}")
        expect_equal((driver(device), override(device)), ("vfio-pci", "vfio-pci"), "driver and override")


@check("A driver that is not loaded, and a physical function with virtual ones, are refused by name")
def _():
    device = virtual_functions()[0]
    with Ferryd() as ferry:
        problem = ferry.post(f"/v1/devices/{device}/bind", {"driver": "none_vfio_pci", "force": True})
        expect("none_vfio_pci" in one(problem.problem(409, "change-refused")["reasons"], "reason"), problem.text)
        problem = ferry.post(f"/v1/devices/{PHYSICAL}/bind", {"force": True}).problem(409, "change-refused")
        expect(device.removeprefix("pci-") in problem["reasons"][0], f"reasons: {problem['reasons']}")
        expect(driver(PHYSICAL) != "vfio-pci", "the physical function was bound")


@check("The number of virtual functions is refused while a program or a session holds one")
def _():
    device = virtual_functions()[0]
    with Ferryd() as ferry:
        with held(device) as process:
            answer = ferry.call("PUT", f"/v1/devices/{PHYSICAL}/virtual-functions", {"count": 0})
            holder = one(answer.problem(409, "device-busy")["holders"], "holder")
            expect_equal(holder["pid"], process.pid, "pid of the holder")
            ferry.post(f"/v1/devices/{device}/unbind").problem(409, "device-busy")
        wait_until(lambda: not ferry.post(f"/v1/devices/{device}/probe").status == 409, "the holder's end")
        session = ferry.open(device)
        answer = ferry.call("PUT", f"/v1/devices/{PHYSICAL}/virtual-functions", {"count": 0})
        expect_equal(answer.problem(409, "device-busy")["session"], session, "session of the refusal")
        expect_equal(ferry.post(f"/v1/devices/{device}/unbind").problem(409, "device-busy")["session"], session,
                     "session of the refused unbind")
        expect_equal(functions(), 2, "virtual functions")


@check("Virtual functions go and come by the API, without a driver of the host, and are bound")
def _():
    devices = virtual_functions()
    path = f"/v1/devices/{PHYSICAL}/virtual-functions"
    with Ferryd() as ferry:
        ferry.call("PUT", path, {"count": 3}).problem(422, "invalid-field")
        gone = ferry.call("PUT", path, {"count": 0}).require(200)
        expect_equal((gone["pci"]["virtual_functions"], functions()), ([], 0), "virtual functions")
        come = ferry.call("PUT", path, {"count": 2, "autoprobe": False}).require(200)
        expect_equal([f"pci-{name}" for name in come["pci"]["virtual_functions"]], devices, "virtual functions")
        listed = wait_until(lambda: shown(ferry, devices), "the virtual functions in the list")
        expect_equal(listed[PHYSICAL]["candidate"]["kind"], "parent", "kind of the physical function")
        for device in devices:
            expect_equal(listed[device]["candidate"]["driver"], "vfio-pci", "driver for it")
            ferry.post(f"/v1/devices/{device}/bind").require(200)
            wait_until(lambda name=device: os.path.exists(node(name)), "the function's node")


def audited(ferry, text):
    return ferry.get(f"/v1/audit?filter={text.replace(' ', '%20')}")["items"]


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


@check("The audit lists what was bound, unbound and refused, with who asked and where the device was and is")
def _():
    device = virtual_functions()[0]
    bound = {"driver": "vfio-pci", "driver_override": "vfio-pci"}
    with Ferryd() as ferry:
        ferry.post(f"/v1/devices/{device}/unbind").require(200)
        answer = ferry.post(f"/v1/devices/{device}/bind")
        answer.require(200)
        ferry.post(f"/v1/devices/{device}/unbind", {"driver": "pcieport"}).problem(409, "kernel-refused")
        ferry.post(f"/v1/devices/{device}/bind", {"driver": "none_vfio_pci"}).problem(409, "change-refused")
        refused, failed, bind, unbind = audited(ferry, f"subject={device}")
        expect_equal([r["state"] for r in (unbind, bind, failed, refused)],
                     ["succeeded", "succeeded", "failed", "refused"], "states")
        expect_equal((unbind["action"], unbind["before"], unbind["after"].get("driver_override")),
                     ("device.unbind", bound, None), "unbind")
        expect_equal((bind["action"], bind["before"], bind["after"]), ("device.bind", unbind["after"], bound), "bind")
        expect_equal((bind["requested_by"], bind["request_id"]), ("uid:0", answer.headers["X-Request-Id"]), "who asked")
        expect_equal((failed["undone"], failed["after"], failed["error"]["errno"]), (True, bound, "ENODEV"), "failure")
        expect_equal(refused["error"]["code"], "change-refused", "refusal")
        ferry.kill()
        ferry.start()
        expect_equal(audited(ferry, f"subject={device}"), [refused, failed, bind, unbind], "the audit after a death")


@check("An unbind that the daemon died in is taken back by the next one, and one that somebody went on with is not")
def _():
    device = virtual_functions()[0]
    sysfs = f"{PCI}/drivers/vfio-pci"
    address = device.removeprefix("pci-")
    for is_foreign in (False, True):
        with Ferryd() as ferry:
            # The driver that does not take it: an intent to give it to that one, with all as it was.
            ferry.post(f"/v1/devices/{device}/unbind", {"driver": "pcieport"}).problem(409, "kernel-refused")
            ferry.kill()
            with sqlite3.connect(f"{ferry.state}/ferry.sqlite") as store:
                store.execute("""UPDATE audit SET finished = 0,
                    body = json_remove(json_set(body, '$.state', json('{"running":{}}')), '$.after', '$.finished_at')""")
            store.close()
            write(f"{sysfs}/unbind", address)
            write(f"{directory(device)}/driver_override", "other\n" if is_foreign else "\n")
            ferry.start()
            record = wait_until(lambda f=ferry: one((r for r in audited(f, f"subject={device}")), "record")
                                if not audited(f, "state=running") else None, "the change's end")
            expect_equal((record["state"], record["undone"]), ("interrupted", not is_foreign), "record")
            expected = (None, "other") if is_foreign else ("vfio-pci", "vfio-pci")
            expect_equal((driver(device), override(device)), expected, "driver and override")
            ferry.post(f"/v1/devices/{device}/bind").require(200)
            wait_until(lambda: os.path.exists(node(device)), "the function's node")


@check("A mediated device is made and removed by the API; its UUID is taken only once")
def _():
    with Ferryd() as ferry:
        types = ferry.get("/v1/mdev-types")["items"]
        told = one((t for t in types if t["parent"] == "mtty" and t["type"] == "mtty-2"), "type")
        expect_equal(told["device_api"], "vfio-pci", "device API")
        expect(told["available_instances"] > 0, f"available: {told}")
        name = str(uuid.uuid4())
        answer = ferry.post("/v1/mdevs", {**TYPE, "uuid": name})
        device = answer.require(201)
        expect_equal((device["id"], answer.headers["Location"]), (f"mdev-{name}", f"/v1/devices/mdev-{name}"), "name")
        expect(os.path.isdir(f"{MDEVS}/{name}"), "the kernel has no such mdev")
        problem = ferry.post("/v1/mdevs", {**TYPE, "uuid": name}).problem(409, "kernel-refused")
        expect_equal(problem["errno"], "EEXIST", "errno of a UUID that is taken")
        ferry.call("DELETE", f"/v1/mdevs/{name}").require(204)
        expect(not os.path.exists(f"{MDEVS}/{name}"), "the mdev is still there")
        ferry.call("DELETE", f"/v1/mdevs/{name}").problem(404, "not-found")


@check("A mediated device that a program holds is not removed, and the holder is named")
def _():
    with mttys(1) as (device,), Ferryd() as ferry:
        name = device.removeprefix("mdev-")
        with held(device) as process:
            problem = ferry.call("DELETE", f"/v1/mdevs/{name}").problem(409, "device-busy")
            expect_equal(one(problem["holders"], "holder")["pid"], process.pid, "pid of the holder")
        expect(os.path.isdir(f"{MDEVS}/{name}"), "the mdev is gone")


@check("A parent without room for another mediated device says so, and what it has stays")
def _():
    made = []
    with Ferryd() as ferry:
        try:
            for _ in range(64):
                answer = ferry.post("/v1/mdevs", TYPE)
                if answer.status != 201:
                    break
                made.append(answer.json["address"])
            problem = answer.problem(409, "kernel-refused")
            expect(problem["errno"] in ("EUSERS", "ENOSPC"), f"errno: {problem['errno']}")
            expect_equal(sum(os.path.isdir(f"{MDEVS}/{name}") for name in made), len(made), "devices that stayed")
        finally:
            for name in made:
                ferry.call("DELETE", f"/v1/mdevs/{name}").require(204)
