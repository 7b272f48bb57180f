"""The disk that is full, fails or cannot be written any more, at every call that changes durable state."""

import errno
import os

import checks_crash
import control
import ferry
import harness
import judge
import scenarios
from case import SOURCES, Case, Settings

TABLE = "disk faults"
_CHANGES = control.WRITE | control.RESIZE | control.NAME


class Fault:
    """`applies` to calls of these classes; lasts for one call or until the disk is mended."""

    def __init__(self, name, mode, error, classes, applies, lasts):
        self.name = name
        self.mode = mode
        self.error = error
        self.classes = classes
        self.applies = applies
        self.lasts = lasts


FAULTS = [
    Fault("full for one call", control.FAIL, errno.ENOSPC, _CHANGES, _CHANGES, False),
    Fault("full from there on", control.FAIL, errno.ENOSPC, _CHANGES, _CHANGES, True),
    Fault("full in the middle of a write", control.SHORT, errno.ENOSPC, _CHANGES, control.WRITE, True),
    Fault("over quota from there on", control.FAIL, errno.EDQUOT, _CHANGES, _CHANGES, True),
    Fault("EIO for one call", control.FAIL, errno.EIO, control.EVERY_CLASS, control.EVERY_CLASS, False),
    Fault("EIO from there on", control.FAIL, errno.EIO, control.EVERY_CLASS, control.EVERY_CLASS, True),
    Fault("EIO from one fsync", control.FAIL, errno.EIO, control.SYNC, control.SYNC, False),
    Fault("EIO from every fsync", control.FAIL, errno.EIO, control.SYNC, control.SYNC, True),
    Fault("read-only from there on", control.FAIL, errno.EROFS, control.EVERY_CLASS, control.EVERY_CLASS, True),
]
BY_NAME = {f.name: f for f in FAULTS}


def strike(name, fault_name, number):
    """One fault at the number-th call of the fault's classes; returns violations, or None if unmet."""
    fault, scenario = BY_NAME[fault_name], scenarios.BY_NAME[name]
    last = control.FOR_EVER if fault.lasts else number
    return scenarios.run(scenario, fault.mode, number, last, fault.error, fault.classes,
                         lambda case, died: _judge(scenario, case, died))


def _judge(scenario, case, died):
    daemon, page = case.ferry, case.page
    if page.hits == 0 and not harness.wait_until(lambda: page.hits, 1):
        return None
    if scenario.starts:
        return list(_start(case, died))
    if scenario.phase == "stopping":
        return list(_stopped(case, died))
    if died:
        return [f"ferryd died of it: {died}; {daemon.log()[-600:]}"]
    violations = list(judge.reads_work(daemon))
    job = case.seen.job
    if job is None and scenario.phase is None:
        violations += _refused_well(case.seen.refusal)
    if job:
        content = [Settings.digests[d] for d in SOURCES[:Settings.pairs]]
        violations += judge.live(daemon, job, content)
        violations += _told_of_it(job)
    page.disarm()
    if job:
        violations += judge.can_be_freed(daemon, job, [Settings.digests[d] for d in SOURCES[:Settings.pairs]])
    violations += judge.migrates_afresh(daemon)
    daemon.kill()
    daemon.start()
    violations += judge.after_restart(daemon, case.seen)
    violations += judge.images_restore(daemon)
    violations += judge.migrates_afresh(daemon)
    return violations


def _told_of_it(job):
    """A job that failed names a reason of the disk's; one that went on warns or needed nothing."""
    problem = job.get("error")
    if job["state"] == "failed" and problem["code"] not in ("store-failed", "storage-failed"):
        yield f"{job['id']} failed for {problem['code']}: {problem['detail']}"


def _refused_well(answer):
    if answer.status < 500 or not answer.json or answer.json.get("code") not in ("store-failed", "storage-failed"):
        yield f"a job that cannot be stored is answered {answer.status}: {answer.text[:300]}"


def _start(case, died):
    """Refused with the way out, or it serves; and with a mended disk it starts and works."""
    if isinstance(died, ferry.Refused):
        yield from says_the_way_out(died)
    elif died:
        yield f"ferryd died of it: {died}"
    case.ferry.kill()
    case.page.disarm()
    case.ferry.start()
    yield from judge.after_restart(case.ferry, case.seen)
    yield from judge.images_restore(case.ferry)
    yield from judge.migrates_afresh(case.ferry)


def says_the_way_out(refused):
    """ferryd ended with status 1 and a line that says what failed and what to do."""
    if refused.status != 1:
        yield f"ferryd did not end with status 1: {refused}"
    words = ("free space", "kernel's log", "owner and mode", "put a copy back", "newer ferryd", "check that",
             "close it", "cannot be made", "cannot be opened", "ENOSPC", "EIO", "EROFS", "EDQUOT")
    if not ("store-failed" in refused.log or "storage-failed" in refused.log):
        yield f"the refusal names no code: {refused.log[-300:]}"
    elif not any(word in refused.log for word in words):
        yield f"the refusal does not say what to do: {refused.log[-300:]}"


def _stopped(case, died):
    if died:
        yield f"ferryd died as it stopped: {died}"
    case.ferry.kill()
    case.page.disarm()
    case.ferry.start()
    yield from judge.after_restart(case.ferry, case.seen)
    yield from judge.migrates_afresh(case.ferry)


def run(report, share):
    chosen = scenarios.chosen()
    for scenario in chosen:
        clock = harness.Clock(share / len(chosen))
        trace, phases = scenarios.count(scenario)
        _strike_all(report, scenario, trace, phases, clock)


def _strike_all(report, scenario, trace, phases, clock):
    points = _points(scenario, trace)
    counts, violations, tried = {}, {}, 0
    for (_, fault, number), result, broken in harness.tries(strike, points, clock, least=len(set(phases)) + 2):
        if broken is None and result is None:
            continue
        wrong = [broken] if broken else result
        tried += 1
        phase = checks_crash.phase_at(scenario.name, _call_number(trace, BY_NAME[fault], number))
        counts[phase] = counts.get(phase, 0) + 1
        violations.setdefault(phase, []).extend(f"{fault}, call {number}: {w}" for w in wrong)
        report.count(TABLE, f"{scenario.name}", phase, len(wrong))
        report.count("disk faults by kind", fault, "tried", 0)
    print(f"{scenario.name}: {tried} of {len(points)} disk faults tried")
    for phase in phases + [p for p in counts if p not in phases]:
        wrong = violations.get(phase, []) if counts.get(phase) else ["no fault struck in it"]
        report.row(f"{scenario.name}: the disk fails in {phase}, {counts.get(phase, 0)} faults", wrong)


def _points(scenario, trace):
    """(scenario, fault, number by the fault's own counting), so that each beginning meets every phase."""
    by_phase = {}
    for fault in FAULTS:
        number = 0
        for call, entry in enumerate(trace, 1):
            if not entry.kind & fault.classes:
                continue
            number += 1
            if entry.kind & fault.applies:
                phase = checks_crash.phase_at(scenario.name, call)
                by_phase.setdefault(phase, []).append((scenario.name, fault.name, number))
    for phase, points in by_phase.items():
        by_phase[phase] = [points[i] for i in harness.spread(len(points))]
    # A round takes one of each phase; the long ones go on alone.
    return [points[n] for n in range(max(map(len, by_phase.values()))) for points in by_phase.values()
            if n < len(points)]


def _call_number(trace, fault, number):
    for call, entry in enumerate(trace, 1):
        number -= bool(entry.kind & fault.classes)
        if number == 0:
            return call
    return len(trace)
