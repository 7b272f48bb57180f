"""GET /metrics, X-Request-Id and the log, of a daemon that works; promtool judges the text."""

import os
import re
import statistics
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
DOCUMENT = f"{HERE}/../../docs/metrics.md"
# The first SET to STOP_COPY of sim-4 fails.
DEVICES = ["mlx5:count=6,state=4MiB,dirty=1MiB,fault=arc:PRE_COPY_P2P-STOP_COPY:EIO:1@sim-4"]
# What a host where nothing is wrong has no series of.
SILENT = {"ferry_store_failures_total", "ferry_overload_refusals_total"}
SCRAPES = 50
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def promised():
    """The metrics of docs/metrics.md by name: their type and labels."""
    with open(DOCUMENT) as text:
        rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([^|]*)\|", text.read(), re.M)
    return {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


def series(text):
    """The labels of every series, by the name of its metric."""
    found = {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            metric = line.split()[2]
            found[metric] = []
        elif not line.startswith("#"):
            labels = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', line))
            labels.pop("le", None)
            found[metric].append(labels)
    return found


def scrape(daemon):
    answer = daemon.call("GET", "/metrics")
    if answer.status != 200:
        raise AssertionError(f"{answer.status}: {answer.body[:300]!r}")
    if answer.headers["Content-Type"] != "text/plain; version=0.0.4; charset=utf-8":
        raise AssertionError(answer.headers["Content-Type"])
    return answer.body.decode()


def job(daemon, **body):
    return daemon.call("POST", "/v1/jobs", body).require(202)


def at_gate(daemon, job):
    while job["state"] == "queued" or job.get("phase") != "awaiting_switchover":
        if job["state"] not in ("queued", "running"):
            raise AssertionError(f"the job is {job['state']}")
        job = daemon.get(f"/v1/jobs/{job['id']}?after_generation={job['generation']}&wait=20")
    return job


def work(daemon, texts):
    """One of each kind of job, one that fails, requests that are refused; the metrics meanwhile."""
    save = daemon.finish(job(daemon, kind="save", devices=[{"source": "sim-0"}]))
    restore = daemon.finish(job(daemon, kind="restore", image=save["image"], accept_copy=True,
                                devices=[{"target": "sim-1"}], discard_target_content=True))
    failed = daemon.finish(job(daemon, kind="migrate", devices=[{"source": "sim-4", "target": "sim-5"}]))
    reset = daemon.finish(job(daemon, kind="reset", devices=[{"source": "sim-0"}]))
    move = {"kind": "migrate", "devices": [{"source": "sim-2", "target": "sim-3"}]}
    gate = at_gate(daemon, job(daemon, **move, switchover={"mode": "manual"}))
    daemon.call("POST", "/v1/jobs", move).require(409)
    daemon.call("GET", "/v1/host", headers={"Host": "evil.example"}).require(403)
    texts["at the gate"] = scrape(daemon)
    daemon.call("POST", f"/v1/jobs/{gate['id']}/switchover").require(202)
    migrate = daemon.finish(gate)
    texts["afterwards"] = scrape(daemon)
    for one, state in [(save, "succeeded"), (restore, "succeeded"), (failed, "failed"),
                       (reset, "succeeded"), (migrate, "succeeded")]:
        if one["state"] != state:
            yield f"{one['kind']} is {one['state']}: {one.get('error')}"


def series_are_there(texts):
    names = promised()
    found = [series(text) for text in texts.values()]
    for one in found:
        if set(one) != set(names):
            yield f"promised or there, not both: {sorted(set(one) ^ set(names))}"
    for name, (_, labels) in names.items():
        all_series = [labels for one in found for labels in one.get(name, [])]
        if not all_series and name not in SILENT:
            yield f"{name} has no series"
        for one in all_series:
            if set(one) != labels:
                yield f"{name} has the labels {sorted(one)}"


def promtool_is_content(texts):
    tool = subprocess.run([f"{HERE}/promtool.sh"], capture_output=True, text=True)
    if tool.returncode:
        yield tool.stderr
        return
    if len(texts) != 2:
        yield "there is nothing to judge"
    for when, text in texts.items():
        verdict = subprocess.run([tool.stdout.strip(), "check", "metrics"], input=text, text=True,
                                 capture_output=True)
        if verdict.returncode or verdict.stdout or verdict.stderr:
            yield f"{when}: {verdict.returncode} {verdict.stdout} {verdict.stderr}"


def job_series_end(texts):
    if 'job="' not in texts["at the gate"]:
        yield "a job that runs has no series"
    if 'job="' in texts["afterwards"]:
        yield "a job that has ended has series"


def scrapes_are_quick(daemon, report):
    times = []
    for _ in range(SCRAPES):
        started = time.monotonic()
        text = scrape(daemon)
        times.append(time.monotonic() - started)
    report.note(f"{statistics.median(times) * 1e3:.1f} ms in the middle, {len(text) >> 10} KiB")
    # A debug build that others disturb; a release build takes little more than one.
    if statistics.median(times) > 0.1:
        yield "a scrape takes more than 100 ms"


def names_and_log(daemon):
    named = {"X-Request-Id": "mine-1", "traceparent": TRACE, "Authorization": "Bearer of-secrets"}
    made = daemon.call("POST", "/v1/jobs", {"kind": "reset", "devices": [{"source": "sim-0"}]}, named)
    if made.require(202).get("traceparent") != TRACE:
        yield "the job does not know its trace"
    daemon.finish(made.json)
    missing = daemon.call("DELETE", "/v1/images/none", headers={"X-Request-Id": "mine-2"})
    if missing.require(404).get("request_id") != "mine-2":
        yield f"the problem does not name the request: {missing.body!r}"
    for answer, name in [(made, "mine-1"), (missing, "mine-2")]:
        if answer.headers["X-Request-Id"] != name:
            yield f"{name} is answered with {answer.headers['X-Request-Id']}"
    if not re.fullmatch(r"[A-Za-z0-9._:-]{1,128}", daemon.call("GET", "/v1/host").headers["X-Request-Id"]):
        yield "a request without a name gets none"
    if daemon.terminate(30) != 0:
        yield "it did not end cleanly"
    log = daemon.log()
    for words in ["request_id=mine-1", "trace_id=4bf92f3577b34da6a3ce929d0e0e4736", "endpoint=createJob",
                  "request_id=mine-2", "problem=not-found", "caller=anonymous"]:
        if words not in log:
            yield f"the log does not say {words}"
    for secret in ["of-secrets", '"kind"']:
        if secret in log:
            yield f"the log says {secret}"


def run(report, start):
    daemon = start(DEVICES)
    texts = {}
    report.check("one of each kind of job, and refusals, to be measured", work, daemon, texts)
    report.check("every metric of docs/metrics.md is there with its labels, and no other", series_are_there, texts)
    report.check("promtool finds nothing to say", promtool_is_content, texts)
    report.check("a job has series only while it runs", job_series_end, texts)
    report.check(f"{SCRAPES} scrapes are quick", scrapes_are_quick, daemon, report)
    report.check("requests have names and traces, and the log tells of changes", names_and_log, daemon)
