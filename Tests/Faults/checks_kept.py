"""ferryd killed while a service manager keeps its descriptors: nothing is lost, and the evidence agrees.

The devices live in ferry-simd, whose log tells when each of them could act; it outlives everybody.
"""

import json
import os

import checks_crash
import control
import evidence
import ferry
import harness
import judge
import scenarios
from case import SOURCES, TARGETS, KeptCase, Settings, pairs

TABLE = "crash points, descriptors kept"
_NAMES = ["save, run", "save, stop", "restore", "migrate", "cancel", "reset"]


def _content():
    return [Settings.digests[d] for d in SOURCES[:Settings.pairs]]


def _begin(case, scenario):
    os.makedirs(case.ferry.state, mode=0o700, exist_ok=True)
    case.ferry.start()
    if scenario.name == "restore":
        scenarios._save_one(case)
        case.seen.job = None
    case.look()


def crash(name, number, mode):
    """One crash point; returns (phase, violations), or None when the run ended before it."""
    scenario = scenarios.BY_NAME[name]
    with KeptCase() as case:
        _begin(case, scenario)
        case.page.arm(mode, number)
        try:
            scenario.act(case)
        except ferry.Died:
            pass
        if case.page.hits == 0 and not harness.wait_until(lambda: case.page.hits, 2):
            return None
        if case.ferry.wait() != -9:
            return "?", [f"ferryd ended by itself: {case.ferry.log()[-800:]}"]
        case.page.disarm()
        return _judge(case, scenario)


def crash_twice(number, again, mode):
    """Killed at one call of a migrate, and its successor in the middle of carrying on."""
    scenario = scenarios.BY_NAME["migrate"]
    with KeptCase() as case:
        _begin(case, scenario)
        case.page.arm(control.KILL_AFTER, number)
        try:
            scenario.act(case)
        except ferry.Died:
            pass
        if case.page.hits == 0:
            return None
        case.ferry.wait()
        case.page.arm(mode, again)
        try:
            case.ferry.start()
            judge.settle(case.ferry)
        except (ferry.Died, ferry.Refused):
            pass
        if case.page.hits == 0 and not harness.wait_until(lambda: case.page.hits, 2):
            return None
        if case.ferry.is_running and case.ferry.wait() != -9:
            return "?", [f"ferryd ended by itself: {case.ferry.log()[-800:]}"]
        case.page.disarm()
        return _judge(case, scenario)


def _judge(case, scenario):
    daemon, violations = case.ferry, []
    daemon.start()
    # The phase at the death is that of the line before the recovery's own.
    judge.settle(daemon)
    record = judge.Record(daemon)
    phase = checks_crash.phase_at_death(record)
    violations += judge.after_restart(daemon, case.seen, kept=True)
    job = next(iter(record.jobs.values()), None)
    if job and job["kind"] == ("migrate" if scenario.name == "cancel" else scenario.name.split(",")[0]):
        violations += _carried_on(daemon, scenario, job, record.journals[job["id"]])
        violations += judge.live(daemon, job, _content())
    else:
        violations += _untouched(daemon)
    daemon.kill()
    daemon.start()
    judge.settle(daemon)
    violations += judge.same_after_another_restart(record, judge.Record(daemon))
    violations += judge.migrates_afresh(daemon)
    violations += store_agrees(case)
    violations += proven(case, scenario)
    return phase, violations


def _carried_on(daemon, scenario, job, journal):
    """Before the decision the sources run as they did; behind it the job goes on, or says why it cannot."""
    lines = [line["line"] for line in journal]
    name = f"{job['kind']} {job['id']}"
    if job["kind"] == "migrate":
        if "commit" in lines:
            if job["state"] not in ("succeeded", "indeterminate"):
                yield f"{name} was committed, its devices live, and it is {job['state']}: {json.dumps(job.get('error'))}"
        elif job["state"] == "succeeded":
            yield f"{name} was not committed and succeeded"
        elif job["may_run"] != "source":
            yield f"{name} was not committed, its devices live, and may run: {job['may_run']} ({job['state']})"
    if job["kind"] == "migrate" and "commit" not in lines:
        for device in (d for d in job["devices"] if d["side"] == "target"):
            content = daemon.device(device["device"]).get("content")
            if content not in (None, "empty", "live"):
                yield f"{name} was not committed and its target {device['device']} holds {content}"


def _untouched(daemon):
    for device in SOURCES[:Settings.pairs]:
        now = daemon.device(device)
        if not judge.acts(now, Settings.digests[device]):
            yield f"{device} was in no job and is {now.get('vfio_state')} with {now['simulated']['content_digest']}"


def store_agrees(case):
    """The manager holds the descriptors of the open sessions, and of no others."""
    held = {name.partition(".")[0] for name in case.manager.names}
    opened = {s["id"] for s in case.ferry.items("/v1/sessions") if s["status"] == "open"}
    if held != opened:
        yield f"the manager holds {sorted(held - opened)} too much and lacks {sorted(opened - held)}"
    for warning in case.manager.warnings:
        yield f"the manager warns: {warning}"
    case.manager.warnings.clear()


def proven(case, scenario=None):
    """No content acted twice, and none of a source is gone."""
    events = case.evidence()
    copies = set(_content()) if scenario and scenario.name == "restore" else ()
    for run in evidence.double_runs(events, copies):
        yield f"two devices acted with one content: {json.dumps(run)}"
    if scenario and scenario.name in ("reset", "restore"):
        return
    for loss in evidence.lost_contents(events, copies):
        device = (loss["original"] or "").partition("@")[0]
        if device in SOURCES[:Settings.pairs] or device == "sim-8":
            yield f"the content of {device} is gone: {json.dumps(loss)}"


# ---- One at a time

def idle_death():
    with KeptCase() as case:
        _begin(case, scenarios.BY_NAME["migrate"])
        before = {d["id"]: d for d in case.ferry.items("/v1/devices") if d["backend"] == "simulated"}
        for _ in range(3):
            case.ferry.kill()
            case.ferry.start()
            yield from judge.after_restart(case.ferry, case.seen, kept=True)
            after = {d["id"]: d for d in case.ferry.items("/v1/devices") if d["backend"] == "simulated"}
            if before != after:
                yield f"the devices changed over a death: {[d for d in before if before[d] != after.get(d)]}"
        yield from store_agrees(case)
        yield from judge.migrates_afresh(case.ferry)
        yield from store_agrees(case)
        yield from proven(case)
        if case.manager.barriers == 0:
            yield "ferryd never waited for the manager (BARRIER=1)"
        if any(s.polled for s in case.manager._stored):
            yield "a descriptor was stored without FDPOLL=0"


def stopped_and_started():
    """SIGTERM hands the sessions to the manager: nothing is lost and nothing is refused."""
    with KeptCase() as case:
        _begin(case, scenarios.BY_NAME["migrate"])
        status = case.ferry.terminate()
        if status != 0:
            yield f"ferryd ended with {status}"
        if "not stopping" in case.ferry.log():
            yield "SIGTERM was refused although the descriptors are kept"
        if not case.manager.stopping:
            yield "ferryd did not tell the manager that it stops (STOPPING=1)"
        case.ferry.start()
        yield from judge.after_restart(case.ferry, case.seen, kept=True)
        yield from _untouched(case.ferry)
        yield from proven(case)
        if not harness.wait_until(lambda: case.manager.ready, 5):
            yield "ferryd did not tell the manager that it serves (READY=1)"


def store_too_small():
    """What the manager had no room for is lost with the daemon, and called so."""
    with KeptCase(store_max=3) as case:
        _begin(case, scenarios.BY_NAME["migrate"])
        held = {name.partition(".")[0] for name in case.manager.names}
        case.ferry.kill()
        case.ferry.start()
        sessions = {s["id"]: s for s in case.ferry.items("/v1/sessions")}
        for before in case.seen.sessions:
            now = sessions[before["id"]]
            kept = before["id"] in held
            if kept and now["status"] != "open":
                yield f"session {now['id']} was kept and is {now['status']}"
            if not kept and (now["status"], now["content"]) != ("lost", "lost"):
                yield f"session {now['id']} was not kept and is {now['status']} with {now['content']}"
        held = {name.partition(".")[0] for name in case.manager.names}
        if held != {s["id"] for s in sessions.values() if s["status"] == "open"}:
            yield "the manager's store and the open sessions differ"


def devices_gone():
    """The devices die while the daemon does not: it says so and goes on serving."""
    with KeptCase() as case:
        _begin(case, scenarios.BY_NAME["migrate"])
        job = case.submit(scenarios.BY_NAME["migrate"].body(case))
        job = case.follow(job, scenarios._is_at_gate_or_over, "came to the gate")
        case.simd.kill()
        case.simd.wait()
        case.ferry.post(f"/v1/jobs/{job['id']}/switchover")
        job = case.finish(job)
        if job["state"] == "succeeded" or job["may_run"] in ("source", "target"):
            yield f"all devices died and the job is {job['state']}, may run {job['may_run']}"
        yield from judge.reads_work(case.ferry)
        case.ferry.kill()
        try:
            case.ferry.start()
        except ferry.Refused as refused:
            if "ferry-simd" not in refused.log:
                yield f"ferryd does not say that the host of its devices is gone: {refused.log[-300:]}"


def run(report, share):
    if not os.access(Settings.simd, os.X_OK):
        report.skip("Deaths with kept descriptors", f"there is no {Settings.simd}")
        return
    report.check("Killed at rest three times, the daemon has its sessions back with their content", idle_death)
    report.check("Stopped by SIGTERM and started, the daemon has its sessions back", stopped_and_started)
    report.check("What a full descriptor store did not keep is called lost", store_too_small)
    report.check("When the devices die under a job the daemon tells the truth and lives", devices_gone)
    for name in _NAMES:
        clock = harness.Clock(share * 0.85 / len(_NAMES))
        try:
            calls, phases = _count(name)
        except Exception as error:
            report.row(f"{name}: runs without a fault, descriptors kept", [repr(error)])
            continue
        checks_crash.try_all(report, scenarios.BY_NAME[name], calls, phases, clock, crash, TABLE)
    _twice(report, harness.Clock(share * 0.15))


def _count(name):
    scenario = scenarios.BY_NAME[name]
    with KeptCase() as case:
        _begin(case, scenario)
        case.page.forget()
        scenario.act(case)
        job = case.seen.job
        if job is None or job["state"] not in ("succeeded", "cancelled"):
            raise ferry.Unexpected(f"{name} fails without a fault: {case.seen.refusal.text if case.seen.refusal else job}")
        wrong = list(proven(case, scenario)) + list(judge.live(case.ferry, job, _content()))
        if wrong:
            raise ferry.Unexpected(f"{name} without a fault: {wrong}")
        return scenarios.settled_calls(case.page), scenarios.phases_of(case.ferry.journal(job["id"]))


def _twice(report, clock):
    """Second deaths behind a first one in each phase."""
    known = checks_crash.found_phases.get((TABLE, "migrate"), [])
    firsts = {}
    for number, phase in known:
        firsts.setdefault(phase, []).append(number)
    calls = 400
    arguments = [(numbers[len(numbers) // 2], n + 1, mode) for n in harness.spread(calls)
                 for phase, numbers in firsts.items() if phase not in ("not accepted", "accepted", "ended")
                 for mode in (control.KILL_AFTER,)]
    violations, counts = {}, {}
    phase_of = {numbers[len(numbers) // 2]: phase for phase, numbers in firsts.items()}
    for (number, again, _), result, broken in harness.tries(crash_twice, arguments, clock, least=len(firsts)):
        if result is None and broken is None:
            continue
        wrong = [broken] if broken else result[1]
        phase = phase_of[number]
        counts[phase] = counts.get(phase, 0) + 1
        violations.setdefault(phase, []).extend(f"killed at {number}, then at {again} of the recovery: {w}" for w in wrong)
        report.count(TABLE, "recovery of a migrate", phase, len(wrong))
    for phase in [p for p in firsts if p not in ("not accepted", "accepted", "ended")]:
        wrong = violations.get(phase, []) if counts.get(phase) else ["no crash point lies in it"]
        report.row(f"migrate: killed in {phase}, and again in the recovery, {counts.get(phase, 0)} times", wrong)
