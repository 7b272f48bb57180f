"""The wall clock jumps; everything that lasts goes by the monotonic one."""

import json
import time

import checks_crash
import ferry
import harness
import judge
import scenarios
from case import SOURCES, Case, Settings, make_template, pairs

TABLE = "clock jumps"
HOUR, DAY, YEAR = 3600, 86400, 365 * 86400
JUMPS = {"an hour on": HOUR, "a day on": DAY, "a year on": YEAR, "an hour back": -HOUR, "a day back": -DAY,
         "a year back": -YEAR}


def _sane(job, elapsed):
    """No duration of the job is longer than what passed, and none is missing."""
    limit = elapsed * 1_000_000 + 1000
    times = job["phase_times"]
    if not times or any("duration_us" not in t for t in times):
        yield f"a phase has no duration: {times}"
    total = sum(t.get("duration_us", 0) for t in times)
    if total > limit or any(t.get("duration_us", 0) < 0 for t in times):
        yield f"the phases take {total} us together; {limit:.0f} us passed: {times}"
    for device in job["devices"]:
        for arc in device["arcs"]:
            if not 0 <= arc["duration_us"] <= limit:
                yield f"an arc took {arc['duration_us']} us; {limit:.0f} us passed"
    downtime = job["progress"].get("actual_downtime_ms")
    if downtime is None or not 0 <= downtime * 1000 <= limit + 1000:
        yield f"the downtime is {downtime} ms; {limit / 1000:.0f} ms passed"


def at_call(number, seconds):
    """The clock jumps at the number-th durable call of a migrate; returns violations or None if unmet."""
    scenario = scenarios.BY_NAME["migrate"]
    with Case(scenario.template()) as case:
        case.ferry.start()
        case.look()
        case.page.forget()
        case.page.turn_clock_at(number, seconds)
        started = time.monotonic()
        scenario.act(case)
        job = case.ferry.get(f"/v1/jobs/{case.seen.job['id']}")
        elapsed = time.monotonic() - started
        if case.page.calls < number:
            return None
        return list(_went_well(case, job, elapsed))


def _went_well(case, job, elapsed):
    if job["state"] != "succeeded" or job["warnings"]:
        yield f"the migrate is {job['state']}: {json.dumps(job.get('error'))} {job['warnings']}"
        return
    yield from _sane(job, elapsed)
    yield from judge.live(case.ferry, job, [Settings.digests[d] for d in SOURCES[:Settings.pairs]])


def _at_gate(case, **limits):
    job = case.submit(ferry.migrate(pairs(), switchover={"mode": "manual"}, limits=limits))
    return case.follow(job, scenarios._is_at_gate_or_over, "came to the gate")


def no_early_timeout():
    for name, seconds in JUMPS.items():
        with Case(make_template("empty")) as case:
            case.ferry.start()
            started = time.monotonic()
            job = _at_gate(case, completion_timeout_s=60, downtime_ms=10_000)
            case.page.turn_clock(seconds)
            # A second of waiting for a change that must not come.
            later = case.ferry.get(f"/v1/jobs/{job['id']}?after_generation={job['generation']}&wait=1")
            if later["state"] != "running":
                yield f"{name}: the job at the gate is {later['state']}: {json.dumps(later.get('error'))}"
                continue
            case.ferry.post(f"/v1/jobs/{job['id']}/switchover").require(202)
            job = case.finish(later)
            for wrong in _went_well(case, job, time.monotonic() - started):
                yield f"{name}: {wrong}"


def timeouts_still_fire():
    for name, seconds in JUMPS.items():
        with Case(make_template("empty")) as case:
            case.ferry.start()
            case.look()
            started = time.monotonic()
            job = _at_gate(case, completion_timeout_s=1)
            case.page.turn_clock(seconds)
            job = case.finish(job)
            elapsed = time.monotonic() - started
            if job["state"] != "failed" or job["error"]["code"] != "timed-out":
                yield f"{name}: the job is {job['state']}: {json.dumps(job.get('error'))}"
            if elapsed < 1:
                yield f"{name}: a limit of 1 s struck after {elapsed:.3f} s"
            for wrong in judge.live(case.ferry, job, [Settings.digests[d] for d in SOURCES[:Settings.pairs]]):
                yield f"{name}: {wrong}"


def long_polls_last():
    """A long poll of 1 s lasts as long whatever the wall clock does."""
    for name, seconds in JUMPS.items():
        with Case(make_template("empty")) as case:
            case.ferry.start()
            job = _at_gate(case)
            case.page.turn_clock(seconds)
            started = time.monotonic()
            case.ferry.get(f"/v1/jobs/{job['id']}?after_generation={job['generation']}&wait=1")
            elapsed = time.monotonic() - started
            if elapsed < 0.9:
                yield f"{name}: a wait of 1 s ended after {elapsed:.3f} s"


def restart_in_the_past():
    """A daemon whose host lost its clock recovers the same, and keeps the order of its jobs."""
    for name, seconds in JUMPS.items():
        with Case(make_template("empty")) as case:
            case.ferry.start()
            case.look()
            first = _at_gate(case)
            case.ferry.kill()
            case.page.turn_clock(seconds)
            reads = case.page.clock_reads
            case.ferry.start()
            for wrong in judge.after_restart(case.ferry, case.seen):
                yield f"{name}: {wrong}"
            second = case.ferry.finish(case.ferry.post("/v1/jobs", ferry.save(["sim-8"])).require(202))
            if [j["id"] for j in case.ferry.items("/v1/jobs")] != [second["id"], first["id"]]:
                yield f"{name}: the newest job is not listed first"
            if (second["created_at"] > first["created_at"]) != (seconds > 0):
                yield f"{name}: the shim turned no clock: {first['created_at']}, then {second['created_at']}"
            if case.page.clock_reads == reads:
                yield f"{name}: the wall clock was never read"


def _in_rounds(calls):
    """(call, seconds), so that each beginning of it meets every phase and every jump."""
    by_phase = {}
    for number in harness.spread(calls):
        by_phase.setdefault(checks_crash.phase_at("migrate", number + 1), []).append(number + 1)
    jumps, arguments = list(JUMPS.values()), []
    for place in range(max(map(len, by_phase.values()))):
        for numbers in by_phase.values():
            if place < len(numbers):
                arguments.append((numbers[place], jumps[len(arguments) % len(jumps)]))
    return arguments


def run(report, share):
    clock = harness.Clock(share)
    report.check("Wherever the wall clock jumps while a migrate waits, it goes on and its times are right",
                 no_early_timeout)
    report.check("A limit in time strikes at its time wherever the wall clock jumps", timeouts_still_fire)
    report.check("A long poll lasts its time wherever the wall clock jumps", long_polls_last)
    report.check("A daemon that starts at another time recovers the same and keeps the order of its jobs",
                 restart_in_the_past)
    trace, phases = scenarios.count(scenarios.BY_NAME["migrate"])
    arguments = _in_rounds(len(trace))
    violations, met = {}, {}
    for (number, seconds), result, broken in harness.tries(at_call, arguments, clock, least=len(phases) + 2):
        if result is None and broken is None:
            continue
        wrong = [broken] if broken else result
        phase = checks_crash.phase_at("migrate", number)
        met[phase] = met.get(phase, 0) + 1
        violations.setdefault(phase, []).extend(f"by {seconds} s at call {number}: {w}" for w in wrong)
        report.count(TABLE, "migrate", phase, len(wrong))
    print(f"migrate: {sum(met.values())} of {len(arguments)} clock jumps tried")
    for phase in phases:
        wrong = violations.get(phase, [])
        if phase != "ended" and not met.get(phase):
            wrong = wrong + ["no jump fell into it"]
        report.row(f"migrate: the clock jumps in {phase}, {met.get(phase, 0)} jumps", wrong)
