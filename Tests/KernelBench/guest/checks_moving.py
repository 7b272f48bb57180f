"""State that moves: save, restore, migrate, cancel. Each check starts from fresh devices and a fresh daemon."""

from devices import mttys, new_nonce, owner
from ferry import Ferryd, migrate, restore, save
from harness import check, expect, expect_equal
from kernellog import MAY_ACT, KernelLog, kernel_state


def expect_never_both_able_to_act(log, source, target):
    """By the kernel's clock: the target first acts after the source acted for the last time."""
    stopped = max(arc.at for arc in log.arcs(source) if arc.start in MAY_ACT and arc.end not in MAY_ACT)
    resumed = [arc.at for arc in log.arcs(source) if arc.at > stopped and arc.end in MAY_ACT]
    expect(not resumed, f"the source ran again: {log.path(source)}")
    arcs = log.arcs(target)
    loading = next(i for i, arc in enumerate(arcs) if arc.end == "RESUMING")
    started = next(arc.at for arc in arcs[loading:] if arc.end in MAY_ACT)
    expect(stopped < started, f"the target acted {stopped - started} µs before the source stopped")


@check("A nonce saved from one mtty and restored to another is read there by a second owner")
def _():
    with mttys(2) as (source, target), Ferryd() as ferry:
        nonce = new_nonce()
        session = ferry.adopt(source, nonce)
        expect_equal(ferry.content(session), "live", "content of the adopted session")
        image = ferry.succeed(save(source))["image"]

        copy = ferry.open(target)
        expect_equal(ferry.content(copy), "empty", "content of the opened session")
        ferry.succeed(restore(image, target))
        expect_equal(ferry.content(copy), "loaded", "content after the restore")
        expect_equal(ferry.collect(copy), nonce, "nonce in the target")


@check("The source of a save runs on, and its owner gets it back with its nonce")
def _():
    with mttys(1) as (source,), Ferryd() as ferry:
        nonce = new_nonce()
        session = ferry.adopt(source, nonce)
        ferry.succeed(save(source))
        expect_equal(ferry.content(session), "live", "content after the save")
        expect_equal(kernel_state(source), "RUNNING", "state by the kernel")
        expect_equal(ferry.collect(session), nonce, "nonce in the source")
        expect_equal(ferry.get(f"/v1/sessions/{session}")["status"], "collected", "status of the session")


@check("An image of a source that ran on is not restored unless the copy is accepted")
def _():
    with mttys(2) as (source, target), Ferryd() as ferry:
        ferry.adopt(source, new_nonce())
        image = ferry.succeed(save(source))["image"]
        ferry.open(target)
        request = restore(image, target)
        del request["accept_copy"]
        ferry.post("/v1/jobs", request).problem(409, "copy-not-accepted")


@check("A nonce migrates from one mtty to another, and the source is empty afterwards")
def _():
    with mttys(2) as (source, target), Ferryd() as ferry, KernelLog() as log:
        nonce = new_nonce()
        left = ferry.adopt(source, nonce)
        arrived = ferry.open(target)
        job = ferry.succeed(migrate(source, target))
        expect_equal(job["may_run"], "target", "who may run")

        expect("PRE_COPY" in log.path(source), f"no pre-copy: {log.path(source)}")
        expect_equal(ferry.content(left), "empty", "content of the source")
        expect_equal(ferry.content(arrived), "loaded", "content of the target")
        expect_equal(kernel_state(target), "RUNNING", "state of the target by the kernel")
        expect_equal(ferry.collect(arrived), nonce, "nonce in the target")


@check("In a migration the target never acts before the source has stopped for good, by the kernel's clock")
def _():
    with mttys(2) as (source, target), Ferryd() as ferry, KernelLog() as log:
        ferry.adopt(source, new_nonce())
        ferry.open(target)
        ferry.succeed(migrate(source, target))
        # RESET is no step of the driver's, so what the release does is not in this log.
        expect_never_both_able_to_act(log, source, target)


@check("A cancel in pre-copy leaves the source running with its nonce and the target empty")
def _():
    with mttys(2) as (source, target), Ferryd() as ferry, KernelLog() as log:
        nonce = new_nonce()
        stays, unused = ferry.adopt(source, nonce), ferry.open(target)
        job = ferry.submit(migrate(source, target, switchover={"mode": "manual"}))
        job = ferry.job_when(job, lambda j: j.get("phase") == "awaiting_switchover", "awaited its switchover")
        expect_equal(kernel_state(source), "PRE_COPY", "state of the source by the kernel")

        ferry.post(f"/v1/jobs/{job['id']}/cancel").require(200, 202)
        job = ferry.finish(job)
        expect_equal(job["state"], "cancelled", "state of the job")
        expect_equal(job["may_run"], "source", "who may run")
        expect_equal(job["warnings"], [], "warnings of the way back")
        expect_equal(kernel_state(source), "RUNNING", "state of the source by the kernel")
        expect(not {"STOP", "STOP_COPY"} & set(log.path(source)), f"the source stopped: {log.path(source)}")
        expect_equal(ferry.content(stays), "live", "content of the source")
        expect_equal(ferry.content(unused), "empty", "content of the target")
        expect_equal(ferry.collect(stays), nonce, "nonce in the source")
        expect_equal(ferry.get(f"/v1/sessions/{unused}")["status"], "closed", "status of the target's session")
        expect_equal(owner("read", target), "0" * 16, "registers of the target")


@check("A migration held at the gate moves the nonce when the switchover is asked for")
def _():
    with mttys(2) as (source, target), Ferryd() as ferry:
        nonce = new_nonce()
        ferry.adopt(source, nonce)
        arrived = ferry.open(target)
        job = ferry.submit(migrate(source, target, switchover={"mode": "manual"}))
        job = ferry.job_when(job, lambda j: j.get("phase") == "awaiting_switchover", "awaited its switchover")
        ferry.post(f"/v1/jobs/{job['id']}/switchover").require(200, 202)
        expect_equal(ferry.finish(job)["state"], "succeeded", "state of the job")
        expect_equal(ferry.collect(arrived), nonce, "nonce in the target")


@check("A nonce migrates to a target that joined the address space of its source")
def _():
    with mttys(2) as (source, target), Ferryd() as ferry:
        nonce = new_nonce()
        left = ferry.adopt(source, nonce)
        arrived = ferry.open(target, joins=left)
        ferry.succeed(migrate(source, target))
        expect_equal(ferry.content(left), "empty", "content of the source")
        expect_equal(kernel_state(target), "RUNNING", "state of the target by the kernel")
        expect_equal(ferry.collect(arrived), nonce, "nonce in the target")
        expect_equal(owner("read", source), "0" * 16, "registers of the source")


@check("A cancel leaves the source running beside a target that had joined its address space")
def _():
    with mttys(2) as (source, target), Ferryd() as ferry:
        nonce = new_nonce()
        stays = ferry.adopt(source, nonce)
        ferry.open(target, joins=stays)
        job = ferry.submit(migrate(source, target, switchover={"mode": "manual"}))
        job = ferry.job_when(job, lambda j: j.get("phase") == "awaiting_switchover", "awaited its switchover")
        ferry.post(f"/v1/jobs/{job['id']}/cancel").require(200, 202)
        job = ferry.finish(job)
        expect_equal(job["state"], "cancelled", "state of the job")
        expect_equal(job["warnings"], [], "warnings of the way back")
        expect_equal(ferry.collect(stays), nonce, "nonce in the source")
        expect_equal(owner("read", target), "0" * 16, "registers of the target")


@check("A device handed in by its group is moved by its group, though the kernel has iommufd", only="cdev")
def _():
    with mttys(2) as (source, target), Ferryd() as ferry:
        nonce = new_nonce()
        left = ferry.adopt(source, nonce, by="group")
        arrived = ferry.open(target, joins=left)
        ferry.succeed(migrate(source, target))
        expect_equal(ferry.collect(arrived), nonce, "nonce in the target")


@check("A program that knows version 1 of the protocol is refused a device that was opened by its group", only="group")
def _():
    with mttys(1) as (device,), Ferryd() as ferry:
        nonce = new_nonce()
        session = ferry.adopt(device, nonce)
        expect_equal(owner("collect-1", ferry.workload_socket, session), "incompatible", "code of the refusal")
        expect_equal(ferry.collect(session), nonce, "nonce collected by version 2")
