"""The end: what all of it cost, and a stop while clients wait."""

import contextlib
import time

from checks_flood import blocked_job, gate
from checks_http import library_answers
from wire import Closed, Wire, request

# A debug build with 2,000 clients at once; what grows with the number of requests passes it soon.
MEMORY_LIMIT_MIB = 320
STOP_LIMIT_S = 15
WAITING = 200


def memory(daemon, report):
    most, now = daemon.memory_kib("VmHWM") >> 10, daemon.memory_kib() >> 10
    report.note(f"RSS {now} MiB, {most} MiB at most; the limit is {MEMORY_LIMIT_MIB} MiB")
    if most > MEMORY_LIMIT_MIB:
        yield f"{most} MiB were resident"


def stop(daemon, report):
    """SIGTERM while long polls and streams wait: all are let go, and the end is clean."""
    job = gate(daemon, blocked_job(daemon))
    if not job:
        yield "no job waits at its gate"
        return
    paths = [f"/v1/jobs/{job['id']}?after_generation={job['generation'] + 1000}&wait=60"]
    if daemon.call("HEAD", "/v1/events").status == 200:
        paths.append("/v1/events")
    with contextlib.ExitStack() as stack:
        waiting = []
        for n in range(WAITING):
            wire = stack.enter_context(Wire(daemon.port))
            wire.send(request("GET", paths[n % len(paths)]))
            waiting.append((wire, paths[n % len(paths)]))
        # A request that came behind them is answered, so they have been read.
        daemon.get("/healthz")
        started = time.monotonic()
        status = daemon.terminate(STOP_LIMIT_S)
        took = time.monotonic() - started
        if status != 0:
            yield f"exit status {status} after {took:.1f} s: {daemon.log()[-600:]}"
        answered = ended = 0
        for wire, path in waiting:
            try:
                if path == "/v1/events":
                    ended += wire.head()[0] == 200
                else:
                    answered += wire.answer().status in (200, 503)
            except Closed:
                yield f"a client of {path} was left without a word"
            except TimeoutError:
                yield f"a client of {path} waits on"
        report.note(f"stopped in {took:.2f} s; {answered} of {WAITING} waits answered, {ended} streams ended")


def run(report, daemon):
    if library_answers:
        report.note(f"{len(library_answers)} answers were libmicrohttpd's own, in HTML (docs/decisions/0023)")
    report.check("memory is bounded after all of it", memory, daemon, report)
    report.check(f"SIGTERM with {WAITING} clients waiting ends cleanly", stop, daemon, report)
