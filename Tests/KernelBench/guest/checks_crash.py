"""ferryd killed while it holds devices: what it says when it is back."""

from devices import mttys, new_nonce, owner
from ferry import TERMINAL, Ferryd, migrate
from harness import check, expect, expect_equal
from kernellog import kernel_state


@check("After kill -9 and a restart ferryd says that the content it held is lost, and it is")
def _():
    with mttys(1) as (device,), Ferryd() as ferry:
        session = ferry.adopt(device, new_nonce())
        ferry.kill()
        ferry.start()
        expect_equal(ferry.content(session), "lost", "content of the session")
        expect(ferry.get(f"/v1/sessions/{session}")["status"] != "open", "the session is said to be open")
        expect_equal(owner("read", device), "0" * 16, "registers of the device")


@check("After kill -9 in pre-copy and a restart the job has ended and does not claim that anybody may run")
def _():
    with mttys(2) as (source, target), Ferryd() as ferry:
        session = ferry.adopt(source, new_nonce())
        ferry.open(target)
        job = ferry.submit(migrate(source, target, switchover={"mode": "manual"}))
        job = ferry.job_when(job, lambda j: j.get("phase") == "awaiting_switchover", "awaited its switchover")
        ferry.kill()
        ferry.start()

        job = ferry.finish(ferry.get(f"/v1/jobs/{job['id']}"))
        expect(job["state"] in TERMINAL - {"succeeded"}, f"state of the job: {job['state']}")
        expect(job["may_run"] in ("nobody", "unknown"), f"who may run: {job['may_run']}")
        expect_equal(ferry.content(session), "lost", "content of the source")
        expect_equal(kernel_state(source), "RUNNING", "state of the source by the kernel: reset by its last close")


@check("After kill -9 a new owner can hand the same device in again")
def _():
    with mttys(1) as (device,), Ferryd() as ferry:
        ferry.adopt(device, new_nonce())
        ferry.kill()
        ferry.start()
        nonce = new_nonce()
        session = ferry.adopt(device, nonce)
        expect_equal(ferry.content(session), "live", "content of the new session")
        expect_equal(ferry.collect(session), nonce, "nonce read back")
