"""Schemathesis on every operation: requests made from the contract, and walks along its links."""

import collections
import json
import os
import subprocess
import sys

from harness import BUDGET, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
# Eight devices, as the contract's examples name them, quick to move.
DEVICES = ["mlx5:count=8,state=256KiB,dirty=64KiB"]
# Streams without an end, which no client can read to it; the group `flood` looks at those.
ENDLESS = ["listEvents"]
# It leads nowhere for as long as no job is indeterminate, which no request makes it.
UNREACHABLE = {"resolveJob"}
SHARES = {"examples,coverage,fuzzing": 0.6, "stateful": 0.4}


def operations(contract):
    """Every operation of the contract, by its label."""
    return {f"{method.upper()} {path}": operation
            for path, item in contract["paths"].items() for method, operation in item.items()
            if "operationId" in operation}


def furnish(daemon):
    """What the contract's examples name: a job, its image, and another of each to be deleted."""
    for name in ("job-7f3a91c05be2d846", "job-1c6f0e94ab27d358", "nightly"):
        job = daemon.call("POST", "/v1/jobs", {"kind": "save", "devices": [{"source": "sim-0"}], "id": name})
        if daemon.finish(job.require(202))["state"] != "succeeded":
            raise AssertionError(f"the save {name} did not succeed")


def schemathesis(daemon, phases, seconds):
    """Runs it, and gives its report, how each operation was answered, and what it printed."""
    report, answers = f"{daemon.directory}/report.json", f"{daemon.directory}/answers.json"
    excluded = [word for name in ENDLESS for word in ("--exclude-operation-id", name)]
    done = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "--config-file", f"{HERE}/schemathesis.toml", "run",
         f"{daemon.url}/openapi.json", "--url", daemon.url, "--phases", phases, "--max-time", str(int(seconds)),
         "--request-timeout", "10", "--continue-on-failure", "--generation-database", "none", "--no-color",
         "--seed", os.environ.get("API_SEED", "1"), "--report", "json", "--report-json-path", report,
         "--warnings", "off", *excluded],
        cwd=daemon.directory, capture_output=True, text=True, timeout=seconds * 3 + 120, check=False,
        env={**os.environ, "SCHEMATHESIS_HOOKS": "fuzz_hooks", "PYTHONPATH": HERE, "FERRY_FUZZ_ANSWERS": answers})
    try:
        with open(report) as file, open(answers) as counts:
            return json.load(file), json.load(counts), done.stdout
    except FileNotFoundError:
        raise AssertionError(f"Schemathesis did not run: {done.stdout[-1500:]}{done.stderr[-1500:]}") from None


def run(report, start):
    contract = start().get("/openapi.json")
    known = operations(contract)
    counted = collections.defaultdict(collections.Counter)
    faults = collections.defaultdict(list)
    for phases, share in SHARES.items():
        report.check(f"Schemathesis: {phases.replace(',', ', ')}", phase, report, start(DEVICES), phases,
                     BUDGET * share, known, counted, faults)
    for label, operation in known.items():
        name = operation["operationId"]
        if name in ENDLESS:
            continue
        answers = counted[name]
        wrong = list(faults[label])
        if not answers:
            wrong.append("it was never called")
        elif name not in UNREACHABLE and not any(status.startswith("2") for status in answers):
            wrong.append("it never succeeded, so only its refusals were seen")
        told = ", ".join(f"{count} × {status}" for status, count in sorted(answers.items()))
        report.row(f"{name}: {sum(answers.values())} requests ({told})", wrong)


def phase(report, daemon, phases, seconds, known, counted, faults):
    furnish(daemon)
    before = daemon.descriptors()
    found, answers, printed = schemathesis(daemon, phases, seconds)
    for name, statuses in answers.items():
        counted[name].update(statuses)
    cases = found["test_cases"]
    jobs = len(daemon.get("/v1/jobs?limit=1000")["items"])
    report.note(f"{cases['generated']} cases in {found['running_time']:.0f} s, "
                f"{sum(sum(c.values()) for c in answers.values())} requests, {cases['unique_failures']} failures, "
                f"{jobs} jobs, RSS {daemon.memory_kib() >> 10} MiB")
    for failure in found["failures"]:
        for entry in failure["operations"]:
            label = entry if isinstance(entry, str) else entry.get("label") or entry.get("name") or json.dumps(entry)
            faults[label].append(f"{failure['title']}: {json.dumps(entry)[:600]}")
    if found["failures"]:
        # The whole of it, with the curl lines that do it again.
        print(printed, flush=True)
        yield f"{cases['unique_failures']} failures, see above"
    if found["errors"]:
        yield f"errors: {json.dumps(found['errors'])[:800]}"
    if not found["complete"] or cases["generated"] < 100:
        yield f"it was not complete: {found['stop_reason']}, {cases['generated']} cases"
    if not daemon.is_alive:
        yield "ferryd is gone"
    elif not wait_until(lambda: daemon.descriptors() <= before + 2, 20):
        yield f"{daemon.descriptors()} descriptors, {before} before"
