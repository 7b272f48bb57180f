"""ferryd killed while a service manager keeps the files of its sessions: nothing is lost, on a real kernel."""

from devices import mttys, new_nonce, owner
from ferry import TERMINAL, Ferryd, migrate, migrate_set
from harness import check, expect, expect_equal, path
from kernellog import kernel_state

# What the manager holds of a session, by the files' own names.
FILES = {"cdev": {"device", "iommufd"}, "group": {"device", "group", "container"}}


def kept(ferry, session):
    """The files the service manager holds of a session, without the numbers of page tables."""
    names = [name.removeprefix(f"{session}.") for name in ferry.manager.names if name.startswith(f"{session}.")]
    return {name.split("-")[0] for name in names}


@check("After kill -9 a session whose files are kept goes on, and its owner collects the nonce")
def _():
    with mttys(1) as (device,), Ferryd(kept=True) as ferry:
        nonce = new_nonce()
        session = ferry.adopt(device, nonce)
        expect_equal(kept(ferry, session), FILES[path()], "files kept")
        ferry.kill()
        ferry.start()
        expect_equal(ferry.get(f"/v1/sessions/{session}")["status"], "open", "status of the session")
        expect_equal(ferry.content(session), "live", "content of the session")
        expect_equal(ferry.collect(session), nonce, "nonce collected")
        expect_equal(kept(ferry, session), set(), "files kept of a session that was collected")
        expect_equal(owner("read", device), "0" * 16, "registers after the last close")


@check("After kill -9 in pre-copy the next daemon lets the source run on, and empties the target that had joined it")
def _():
    with mttys(2) as (source, target), Ferryd(kept=True) as ferry:
        nonce = new_nonce()
        stays = ferry.adopt(source, nonce)
        ferry.open(target, joins=stays)
        job = ferry.submit(migrate(source, target, switchover={"mode": "manual"}))
        job = ferry.job_when(job, lambda j: j.get("phase") == "awaiting_switchover", "awaited its switchover")
        ferry.kill()
        ferry.start()
        job = ferry.finish(ferry.get(f"/v1/jobs/{job['id']}"))
        expect(job["state"] in TERMINAL - {"succeeded", "indeterminate"}, f"state of the job: {job['state']}")
        expect_equal(job["may_run"], "source", "who may run")
        expect_equal(kernel_state(source), "RUNNING", "state of the source by the kernel")
        expect_equal(ferry.content(stays), "live", "content of the source")
        expect_equal(ferry.collect(stays), nonce, "nonce in the source")
        expect_equal(owner("read", target), "0" * 16, "registers of the target")


@check("A migration of kept sessions warns of nothing, and of its source no file is kept any more")
def _():
    with mttys(2) as (source, target), Ferryd(kept=True) as ferry:
        nonce = new_nonce()
        left = ferry.adopt(source, nonce)
        arrived = ferry.open(target, joins=left)
        ferry.succeed(migrate(source, target))
        expect_equal(kept(ferry, left), set(), "files kept of the source")
        expect_equal(kept(ferry, arrived), FILES[path()], "files kept of the target")
        expect_equal(owner("read", source), "0" * 16, "registers of the source")
        ferry.kill()
        ferry.start()
        expect_equal(ferry.content(arrived), "loaded", "content of the target after kill -9")
        expect_equal(ferry.collect(arrived), nonce, "nonce in the target")


@check("After kill -9 a set of kept sessions migrates as if nothing had been")
def _():
    with mttys(4) as devices, Ferryd(kept=True) as ferry:
        sources, targets = devices[:2], devices[2:]
        nonces = [new_nonce(), new_nonce()]
        left = [ferry.adopt(source, nonce) for source, nonce in zip(sources, nonces)]
        arrived = [ferry.open(target, joins=session) for target, session in zip(targets, left)]
        ferry.kill()
        ferry.start()
        ferry.succeed(migrate_set(sources, targets))
        expect_equal([ferry.collect(session) for session in arrived], nonces, "nonces in the targets")
