"""Devices that fail: every arc, read, write and question, by every errno, in every kind of job."""

import json

import ferry
import harness
import judge
import scenarios
from case import Case, Settings

TABLE = "device faults"
_ARCS = [
    "RUNNING-PRE_COPY", "PRE_COPY-RUNNING", "RUNNING-RUNNING_P2P", "RUNNING_P2P-RUNNING", "RUNNING_P2P-STOP",
    "STOP-RUNNING_P2P", "PRE_COPY-PRE_COPY_P2P", "PRE_COPY_P2P-PRE_COPY", "RUNNING_P2P-PRE_COPY_P2P",
    "PRE_COPY_P2P-RUNNING_P2P", "PRE_COPY_P2P-STOP_COPY", "STOP-STOP_COPY", "STOP_COPY-STOP",
    "STOP-RESUMING", "RESUMING-STOP",
]
_OUTCOMES = ["EIO", "EINVAL", "EBUSY", "ENOMEM", "ETIMEDOUT", "ENODEV", "EAGAIN", "ERROR", "ASYNC_ERROR", "DELAY=20ms"]
# EOF is left out: a stream that ends early and says so is whole to everybody but a driver that checks.
_STREAM = ["read", "write", "precopy_info", "reset", "get", "data_size", "detach"]
_SHORTS = ["SHORT=512", "SHORT=8"]
KINDS = ["save, run", "save, stop", "restore", "migrate", "cancel", "reset"]
_BATCH = 24
# A device whose way back fails too.
_SECOND = ["arc:PRE_COPY-RUNNING", "arc:STOP-RUNNING_P2P", "arc:RUNNING_P2P-RUNNING", "arc:STOP_COPY-STOP", "reset"]


def _all_faults():
    """(texts of one device's faults), each a fault plan of its own."""
    plans = []
    for operation in [f"arc:{a}" for a in _ARCS] + _STREAM:
        for outcome in _OUTCOMES:
            if "ERROR" in outcome and operation in ("precopy_info", "reset", "get", "data_size", "detach"):
                continue
            occurrences = ("1", "1+", "2", "3") if operation in ("read", "write", "precopy_info") else ("1", "1+")
            # ferryd asks a simulated device for its state as it starts, and does not without an answer.
            for times in ("2", "3", "4", "5", "6", "4+") if operation == "get" else occurrences:
                plans.append((f"{operation}:{outcome}:{times}",))
    plans += [(f"{o}:{short}:{times}",) for o in ("read", "write") for short in _SHORTS for times in ("1", "1+", "3")]
    first = ["arc:PRE_COPY-PRE_COPY_P2P", "arc:PRE_COPY_P2P-STOP_COPY", "read", "arc:RESUMING-STOP", "write",
             "arc:STOP-RUNNING_P2P", "arc:RUNNING_P2P-RUNNING"]
    for one in first:
        for other in _SECOND:
            if one != other:
                plans += [(f"{one}:EIO:1", f"{other}:EIO:1+"), (f"{one}:EIO:1", f"{other}:ERROR:1")]
    return plans


_FAULTS = _all_faults()


def batch(kind, plans):
    """Runs a job of that kind for each (side, fault plan) in one daemon; returns what each came to."""
    count = Settings.pairs if Settings.pairs > 1 else 1
    specs = ["mlx5:count=2,state=16KiB,seed=5"]
    for number, (side, plan) in enumerate(plans):
        first = 2 + number * count * 2
        # The last of a set is the one that fails, when the others have gone on already.
        broken = first + 2 * (count - 1) + (side == "target")
        texts = "".join(f",fault={text}@sim-{broken}" for text in plan)
        specs.append(f"mlx5:count={2 * count},state=16KiB,seed={100 + number}{texts}")
    results = []
    with Case(simulate=specs, with_shim=False) as case:
        case.ferry.start()
        digests = {d["id"]: d["simulated"]["content_digest"]
                   for d in case.ferry.items("/v1/devices") if d["backend"] == "simulated"}
        image = None
        if kind == "restore":
            image = case.finish(case.submit(ferry.save(["sim-0"])))["image"]
            if count > 1:
                image = None
        for number, (side, plan) in enumerate(plans):
            first = 2 + number * count * 2
            pairs = [(f"sim-{n}", f"sim-{n + 1}") for n in range(first, first + 2 * count, 2)]
            results.append(_one(case, kind, pairs, digests, image))
        left = list(judge.migrates_afresh(case.ferry, ("sim-0", "sim-1")))
        case.seen = type(case.seen)()
        case.ferry.kill()
        case.ferry.start()
        left += judge.after_restart(case.ferry, case.seen)
    return results, left


def _one(case, kind, pairs, digests, image):
    """(phase or None, violations) of one job on devices of which one fails."""
    daemon = case.ferry
    sources, targets = [s for s, _ in pairs], [t for _, t in pairs]
    content = {"sources": [digests[s] for s in sources]}
    if kind == "restore":
        if image is None:
            # A set's image is the set's own.
            saved = case.finish(case.submit(ferry.save(sources)))
            if saved["state"] != "succeeded":
                return None, []
            image = saved["image"]
            content["sources"] = [digests[s] for s in sources]
        else:
            content["sources"] = [digests["sim-0"]]
    scenario = scenarios.BY_NAME[kind]
    body = _body(kind, pairs, image)
    case.seen.refusal = None
    job = case.submit(body)
    if job is None:
        refusal = case.seen.refusal
        if refusal.status >= 500 or not (refusal.json or {}).get("code"):
            return "not accepted", [f"refused with {refusal.status}: {refusal.text[:300]}"]
        return "not accepted", []
    scenario.steer(case, job)
    job = daemon.get(f"/v1/jobs/{job['id']}")
    phase = _phase(daemon, job)
    violations = list(judge.live(daemon, job, content["sources"])) if phase else _unmet(job)
    if phase:
        violations += judge.can_be_freed(daemon, job, content["sources"])
    return phase, violations


def _unmet(job):
    """Without a fault it goes well."""
    if job["state"] not in ("succeeded", "cancelled"):
        return [f"{job['kind']} {job['id']} is {job['state']} and no call failed: {json.dumps(job.get('error'))}"]
    return []


def _body(kind, pairs, image):
    sources, targets = [s for s, _ in pairs], [t for _, t in pairs]
    if kind.startswith("save"):
        return ferry.save(sources, kind.split()[-1])
    if kind == "restore":
        return ferry.restore(image, targets, sources)
    if kind == "reset":
        return {"kind": "reset", "devices": [{"source": s} for s in sources]}
    return ferry.migrate(pairs, switchover={"mode": "manual"})


def _phase(daemon, job):
    """The phase of the first call that failed, or None when none did."""
    for line in daemon.journal(job["id"]):
        if line["line"] == "failed":
            return line.get("phase") or "accepted"
    failed_arc = any(a.get("errno") for d in job["devices"] for a in d["arcs"])
    if failed_arc or job["warnings"] or job["state"] in ("failed", "indeterminate"):
        return job.get("phase") or "accepted"
    return None


def hanging():
    """A SET that does not return holds up its own job alone, and is shown."""
    specs = ["mlx5:count=2,state=16KiB,seed=5,fault=arc:RUNNING-PRE_COPY:HANG:1@sim-0", "mlx5:count=2,state=16KiB,seed=6"]
    with Case(simulate=specs, with_shim=False) as case:
        case.ferry.start()
        case.look()
        job = case.submit(ferry.migrate([("sim-0", "sim-1")]))
        yield from judge.migrates_afresh(case.ferry, ("sim-2", "sim-3"))
        stuck = harness.wait_until(lambda: case.ferry.get(f"/v1/jobs/{job['id']}").get("stuck_in"), 20)
        if not stuck or stuck["device"] != "sim-0":
            yield f"a SET that hangs is shown as {stuck}"
        if case.ferry.post(f"/v1/jobs/{job['id']}/cancel").status != 202:
            yield "a job that hangs takes no cancel"
        yield from judge.reads_work(case.ferry)
        case.ferry.kill()
        case.ferry.start()
        yield from judge.after_restart(case.ferry, case.seen)


def run(report, share):
    report.check("A device that hangs holds up its own job alone, is shown, and is outlived by a restart", hanging)
    for kind in KINDS:
        clock = harness.Clock(share / len(KINDS))
        sides = {"restore": ["target"], "migrate": ["source", "target"], "cancel": ["source", "target"]}
        order = harness.spread(len(_FAULTS))
        plans = [(side, _FAULTS[i]) for i in order for side in sides.get(kind, ["source"])]
        batches = [(kind, plans[i:i + _BATCH]) for i in range(0, len(plans), _BATCH)]
        _count(report, kind, len(plans), harness.tries(batch, batches, clock, least=2))


def _count(report, kind, total, outcomes):
    tried = met = 0
    violations, counts = {}, {}
    for (_, plans), result, broken in outcomes:
        if broken:
            violations.setdefault("?", []).append(broken)
            continue
        results, left = result
        violations.setdefault("after a restart", []).extend(left)
        for (side, plan), (phase, wrong) in zip(plans, results):
            tried += 1
            told = [f"{' and '.join(plan)} in the {side}: {w}" for w in wrong]
            if phase is None:
                violations.setdefault("no fault met", []).extend(told)
                continue
            met += 1
            counts[phase] = counts.get(phase, 0) + 1
            violations.setdefault(phase, []).extend(told)
            report.count(TABLE, kind, phase, len(wrong))
    print(f"{kind}: {tried} of {total} fault plans tried; {met} struck, the others name calls this job does not make")
    for phase in sorted(set(counts) | set(violations)):
        report.row(f"{kind}: devices fail in {phase}, {counts.get(phase, 0)} faults", violations.get(phase, []))
    missing = [p for p in _phases(kind) if not counts.get(p)]
    report.row(f"{kind}: a device failed in every phase that calls one", [f"none in {p}" for p in missing])


def _phases(kind):
    """The phases in which a job calls its devices."""
    down = ["pre_copy", "quiesce", "stop_copy"]
    return {
        "save, run": down + ["start"], "save, stop": down + ["release"],
        "restore": ["prepare", "load", "start"],
        "migrate": ["prepare", *down, "load", "start", "release"],
        "cancel": ["prepare", "pre_copy"], "reset": ["release"],
    }[kind]
