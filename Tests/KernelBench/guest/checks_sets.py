"""Sets of devices: they stop and start together, by barriers that the kernel's own log shows."""

from devices import mttys, new_nonce, owner
from ferry import Ferryd, migrate_set, restore_set, save_set
from harness import check, expect, expect_equal
from kernellog import MAY_ACT, KernelLog, kernel_state

QUIET = {"RUNNING_P2P", "PRE_COPY_P2P"}  # no device of the set sends anything to another
STOPPED = {"STOP", "STOP_COPY"}


def first_step(log, device, into, after=-1):
    """When the device first began a step into one of these states."""
    for arc in log.arcs(device):
        if arc.at > after and arc.end in into:
            return arc.at
    expect(False, f"{device} never went to {' or '.join(sorted(into))}: {log.path(device)}")


def expect_barrier(log, devices, first, then, after=None):
    """Every device is on its way to one of `first` before one is to one of `then`."""
    after = after or {}
    arrived = {device: first_step(log, device, first, after.get(device, -1)) for device in devices}
    left = {device: first_step(log, device, then, arrived[device]) for device in devices}
    expect(max(arrived.values()) < min(left.values()),
           f"no barrier between {sorted(first)} and {sorted(then)}: {[log.path(device) for device in devices]}")
    return left


def expect_quiet_before_stopped(log, sources):
    """Returns when each source began to stop."""
    return expect_barrier(log, sources, QUIET, STOPPED)


def expect_quiet_before_running(log, devices, after):
    expect_barrier(log, devices, {"RUNNING_P2P"}, {"RUNNING"}, after)


def adopted(ferry, devices):
    """Hands every device in with a nonce of its own; the sessions and the nonces."""
    nonces = [new_nonce() for _ in devices]
    return [ferry.adopt(device, nonce) for device, nonce in zip(devices, nonces)], nonces


@check("A set of two mttys migrates whole: both nonces arrive, and both sources are empty")
def _():
    with mttys(4) as devices, Ferryd() as ferry:
        sources, targets = devices[:2], devices[2:]
        left, nonces = adopted(ferry, sources)
        arrived = [ferry.open(target) for target in targets]
        job = ferry.succeed(migrate_set(sources, targets))
        expect_equal(job["may_run"], "target", "who may run")
        expect_equal([ferry.content(session) for session in left], ["empty"] * 2, "content of the sources")
        expect_equal([kernel_state(target) for target in targets], ["RUNNING"] * 2, "states of the targets")
        expect_equal([ferry.collect(session) for session in arrived], nonces, "nonces in the targets")


@check("In the migration of a set all sources are quiet before one stops, all stop before a target acts, "
       "and all targets are quiet before one runs, by the kernel's clock")
def _():
    with mttys(4) as devices, Ferryd() as ferry, KernelLog() as log:
        sources, targets = devices[:2], devices[2:]
        adopted(ferry, sources)
        for target in targets:
            ferry.open(target)
        ferry.succeed(migrate_set(sources, targets))

        expect_quiet_before_stopped(log, sources)
        loading = {target: first_step(log, target, {"RESUMING"}) for target in targets}
        expect_quiet_before_running(log, targets, loading)
        stopped = max(arc.at for source in sources for arc in log.arcs(source)
                      if arc.start in MAY_ACT and arc.end not in MAY_ACT)
        again = [arc for source in sources for arc in log.arcs(source) if arc.at > stopped and arc.end in MAY_ACT]
        expect(not again, f"a source ran again: {again}")
        acted = min(first_step(log, target, MAY_ACT, loading[target]) for target in targets)
        expect(stopped < acted, f"a target acted {stopped - acted} µs before the last source stopped")


@check("A set of two mttys is saved with barriers down and up, and its sources run on with their nonces")
def _():
    with mttys(2) as sources, Ferryd() as ferry, KernelLog() as log:
        sessions, nonces = adopted(ferry, sources)
        ferry.succeed(save_set(sources))
        stopped = expect_quiet_before_stopped(log, sources)
        expect_quiet_before_running(log, sources, stopped)
        expect_equal([ferry.collect(session) for session in sessions], nonces, "nonces in the sources")


@check("An image of two mttys is restored whole, each member to the target it is meant for, with a barrier up")
def _():
    with mttys(4) as devices, Ferryd() as ferry, KernelLog() as log:
        sources, targets = devices[:2], devices[2:]
        _, nonces = adopted(ferry, sources)
        image = ferry.succeed(save_set(sources))["image"]
        copies = [ferry.open(target) for target in targets]
        # The members the other way round: it is their names that count, not their order.
        ferry.succeed(restore_set(image, sources[::-1], targets[::-1]))
        expect_quiet_before_running(log, targets, {t: first_step(log, t, {"RESUMING"}) for t in targets})
        expect_equal([ferry.collect(copy) for copy in copies], nonces, "nonces in the targets")


@check("A cancel of a set in pre-copy leaves both sources running with their nonces and both targets empty")
def _():
    with mttys(4) as devices, Ferryd() as ferry, KernelLog() as log:
        sources, targets = devices[:2], devices[2:]
        stay, nonces = adopted(ferry, sources)
        for target in targets:
            ferry.open(target)
        job = ferry.submit(migrate_set(sources, targets, switchover={"mode": "manual"}))
        job = ferry.job_when(job, lambda j: j.get("phase") == "awaiting_switchover", "awaited its switchover")
        ferry.post(f"/v1/jobs/{job['id']}/cancel").require(200, 202)
        job = ferry.finish(job)
        expect_equal(job["state"], "cancelled", "state of the job")
        expect_equal(job["may_run"], "source", "who may run")
        for source in sources:
            expect(not STOPPED & set(log.path(source)), f"a source stopped: {log.path(source)}")
        expect_equal([ferry.collect(session) for session in stay], nonces, "nonces in the sources")
        expect_equal([owner("read", target) for target in targets], ["0" * 16] * 2, "registers of the targets")
