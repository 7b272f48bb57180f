"""Schemathesis on every operation: requests made from the contract, and walks along its links."""

import collections
import json
import os
import subprocess
import sys
import threading

from harness import BUDGET, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
# Eight devices, as the contract's examples name them, quick to move.
DEVICES = ["mlx5:count=8,state=256KiB,dirty=64KiB"]
# The pair that another client keeps busy meanwhile.
PAIR = ["sim-6", "sim-7"]
# Streams without an end, which no client can read to it; the group `flood` looks at those.
ENDLESS = ["followEvents"]
KEPT_IMAGE = "kept"
# No request makes a job indeterminate, or an archive that is an image's. The others of these need a
# walk that finds a device without a session, or a job at its gate, in the time there is: whether they
# succeed is for the groups `client` and `images` to see. Drivers, virtual functions and mdevs are
# those of real devices, which the kernel bench has.
UNREACHABLE = {"resolveJob", "uploadImageContent", "openSession", "cancelJob", "switchOverJob",
               "changeJobLimits", "deleteJob", "bindDevice", "unbindDevice", "setVirtualFunctions",
               "createMediatedDevice", "removeMediatedDevice"}
SHARES = {"examples,coverage,fuzzing": 0.6, "stateful": 0.4}


def operations(contract):
    """Every operation of the contract, by its label."""
    return {f"{method.upper()} {path}": operation
            for path, item in contract["paths"].items() for method, operation in item.items()
            if "operationId" in operation}


def furnish(daemon):
    """What the contract's examples name: a job, its image, and another of each to be deleted."""
    for name in ("job-7f3a91c05be2d846", "job-1c6f0e94ab27d358", "nightly", KEPT_IMAGE):
        job = daemon.call("POST", "/v1/jobs", {"kind": "save", "devices": [{"source": "sim-0"}], "id": name})
        if daemon.finish(job.require(202))["state"] != "succeeded":
            raise AssertionError(f"the save {name} did not succeed")


class OtherClient:
    """Keeps a job waiting at its gate, for requests to find: whatever ends one, the next begins."""

    def __init__(self, daemon):
        self._daemon = daemon
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.jobs = 0
        self.fault = None

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stopped.set()
        self._thread.join()

    def _run(self):
        try:
            while not self._stopped.is_set():
                job = self._begin()
                while not self._stopped.is_set() and job["state"] in ("queued", "running", "cancelling"):
                    job = self._daemon.get(f"/v1/jobs/{job['id']}?after_generation={job['generation']}&wait=1")
        except Exception as fault:  # told by whoever waits for the run
            self.fault = fault

    def _begin(self):
        """A migrate by hand from where the content is; when nobody has any, from the image."""
        call = self._daemon.call
        while True:
            content = []
            for device in PAIR:
                call("POST", "/v1/sessions", {"device": device})
                content.append(self._daemon.get(f"/v1/devices/{device}").get("content"))
            pair = PAIR if content[0] in ("live", "loaded") else PAIR[::-1]
            answer = call("POST", "/v1/jobs", {
                "kind": "migrate", "devices": [{"source": pair[0], "target": pair[1]}],
                "discard_target_content": True, "switchover": {"mode": "manual"}})
            if answer.status == 409:
                answer = call("POST", "/v1/jobs", {
                    "kind": "restore", "image": KEPT_IMAGE, "devices": [{"target": PAIR[0]}],
                    "accept_copy": True, "discard_target_content": True})
            if answer.status == 202:
                self.jobs += 1
                return answer.json
            # Whatever is in the way has a moment to go; the wait ends with the run.
            if self._stopped.wait(0.2):
                return {"state": "failed"}


def schemathesis(daemon, phases, seconds):
    """Runs it, and gives its report, how each operation was answered, and what it printed."""
    report, answers = f"{daemon.directory}/report.json", f"{daemon.directory}/answers.json"
    # From a file: the operation that an address leads to would be left out.
    contract = f"{daemon.directory}/openapi.json"
    with open(contract, "wb") as file:
        file.write(daemon.call("GET", "/openapi.json").body)
    excluded = [word for name in ENDLESS for word in ("--exclude-operation-id", name)]
    done = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "--config-file", f"{HERE}/schemathesis.toml", "run",
         contract, "--url", daemon.url, "--phases", phases, "--max-time", str(int(seconds)),
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
    with OtherClient(daemon) as other:
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
    if other.fault or not other.jobs:
        yield f"the other client made {other.jobs} jobs: {other.fault!r}"
    if found["errors"]:
        yield f"errors: {json.dumps(found['errors'])[:800]}"
    if not found["complete"] or cases["generated"] < 100:
        yield f"it was not complete: {found['stop_reason']}, {cases['generated']} cases"
    if not daemon.is_alive:
        yield "ferryd is gone"
    elif not wait_until(lambda: daemon.descriptors() <= before + 2, 20):
        yield f"{daemon.descriptors()} descriptors, {before} before"
