"""The client that openapi-python-client makes from the contract, used as its users would."""

import compileall
import importlib
import json
import os
import subprocess
import sys

DEVICES = ["mlx5:count=6,state=4MiB,dirty=1MiB"]


def generate(contract, directory):
    """A package `ferry_client` in the directory; what the generator warns of is printed."""
    path = f"{directory}/openapi.json"
    with open(path, "wb") as file:
        file.write(contract)
    # The formatter it would call is no part of the client.
    config = f"{directory}/config.json"
    with open(config, "w") as file:
        json.dump({"post_hooks": [], "project_name_override": "ferry-client",
                   "package_name_override": "ferry_client",
                   "content_type_overrides": {"application/x-tar": "application/octet-stream",
                                              "text/event-stream": "text/plain"}}, file)
    done = subprocess.run(
        [sys.executable, "-m", "openapi_python_client", "generate", "--path", path, "--config", config,
         "--meta", "none", "--output-path", f"{directory}/ferry_client", "--fail-on-warning"],
        capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


class Walk:
    """The generated client against one daemon."""

    def __init__(self, directory, url):
        sys.path.insert(0, directory)
        self._client = importlib.import_module("ferry_client").Client(base_url=url)
        self.models = importlib.import_module("ferry_client.models")

    def call(self, tag, operation, *arguments, **parameters):
        """The status, and the document as the class that the contract names for that status."""
        module = importlib.import_module(f"ferry_client.api.{tag}.{operation}")
        response = module.sync_detailed(*arguments, client=self._client, **parameters)
        return int(response.status_code), response.parsed

    def finish(self, job):
        """Long polls until it has ended."""
        while job.state in ("queued", "running", "cancelling"):
            _, job = self.call("jobs", "get_job", job.id, after_generation=job.generation, wait=10)
        return job

    def until(self, job, ready):
        while not ready(job) and job.state in ("queued", "running"):
            _, job = self.call("jobs", "get_job", job.id, after_generation=job.generation, wait=10)
        return job

    def job(self, **request):
        return self.call("jobs", "create_job", body=self.models.JobRequest.from_dict(request))


def made(contract, directory):
    status, printed = generate(contract, directory)
    if status or not os.path.isdir(f"{directory}/ferry_client"):
        yield f"exit {status}: {printed[-1500:]}"
    elif not compileall.compile_dir(f"{directory}/ferry_client", quiet=1):
        yield "it does not compile"


def complete(contract, directory):
    """Every operation has a function."""
    for path, item in json.loads(contract)["paths"].items():
        for operation in item.values():
            if isinstance(operation, dict) and "operationId" in operation:
                name = "".join(f"_{c.lower()}" if c.isupper() else c for c in operation["operationId"])
                if not os.path.exists(f"{directory}/ferry_client/api/{operation['tags'][0]}/{name}.py"):
                    yield f"{path}: no {name}"


def devices(walk):
    status, page = walk.call("devices", "list_devices", limit=4)
    if status != 200 or [d.id for d in page.items] != ["sim-0", "sim-1", "sim-2", "sim-3"]:
        yield f"{status}: {page}"
    status, rest = walk.call("devices", "list_devices", limit=4, cursor=page.next_cursor)
    if [d.id for d in rest.items] != ["sim-4", "sim-5"] or rest.next_cursor is not None:
        yield f"{status}: {rest}"
    device = page.items[0]
    if device.migration.kind != "state_stream" or device.simulated.state_bytes != 4 << 20:
        yield f"{device}"


def migrate(walk):
    """Held at the gate by hand, limits changed by their ETag, then switched over."""
    status, job = walk.job(kind="migrate", devices=[{"source": "sim-0", "target": "sim-1"}],
                           discard_target_content=True, switchover={"mode": "manual"}, id="by-hand",
                           labels={"made": "by a client"})
    if status != 202 or job.labels["made"] != "by a client":
        yield f"{status}: {job}"
    job = walk.until(job, lambda j: j.switchover.ready)
    limits = importlib.import_module("ferry_client.api.jobs.get_job_limits").sync_detailed(
        job.id, client=walk._client)
    wanted = walk.models.JobRequestLimits(downtime_ms=2000)
    status, changed = walk.call("jobs", "change_job_limits", job.id, body=wanted, if_match=limits.headers["ETag"])
    if status != 200 or changed.downtime_ms != 2000:
        yield f"limits: {status}: {changed}"
    status, stale = walk.call("jobs", "change_job_limits", job.id, body=wanted, if_match=limits.headers["ETag"])
    if status != 412 or stale.code != "precondition-failed":
        yield f"limits by an old tag: {status}: {stale}"
    status, job = walk.call("jobs", "switch_over_job", job.id)
    if status != 202:
        yield f"switchover: {status}: {job}"
    job = walk.finish(job)
    if job.state != "succeeded" or job.may_run != "target":
        yield f"{job.state}, may run {job.may_run}: {job.error}"
    status, page = walk.call("jobs", "list_journal", job.id, limit=1000)
    lines = [line.line for line in page.items]
    if lines[0] != "accepted" or lines.count("commit") != 1 or lines[-1] != "finished":
        yield f"journal: {lines}"


def save_and_restore(walk):
    status, job = walk.job(kind="save", devices=[{"source": "sim-2"}], id="kept")
    job = walk.finish(job)
    if job.state != "succeeded" or job.image != "kept":
        yield f"save: {status}: {job}"
    status, image = walk.call("images", "get_image", "kept")
    if status != 200 or image.members[0].device != "sim-2":
        yield f"image: {status}: {image}"
    saved = walk.call("devices", "get_device", "sim-2")[1].simulated.stopped_content_digest
    status, refused = walk.job(kind="restore", image="kept", devices=[{"target": "sim-3"}])
    if status != 409 or refused.code not in ("copy-not-accepted", "target-has-content"):
        yield f"a copy nobody asked for: {status}: {refused}"
    status, job = walk.job(kind="restore", image="kept", devices=[{"target": "sim-3"}], accept_copy=True,
                           discard_target_content=True)
    if (job := walk.finish(job)).state != "succeeded":
        yield f"restore: {status}: {job.error}"
    loaded = walk.call("devices", "get_device", "sim-3")[1].simulated.stopped_content_digest
    if not isinstance(saved, str) or saved != loaded:
        yield f"saved {saved}, loaded {loaded}"
    status, _ = walk.call("images", "delete_image", "kept")
    if status != 204:
        yield f"delete: {status}"


def cancel(walk):
    status, job = walk.job(kind="migrate", devices=[{"source": "sim-4", "target": "sim-5"}],
                           discard_target_content=True, switchover={"mode": "manual"})
    job = walk.until(job, lambda j: j.phase == "pre_copy")
    status, cancelled = walk.call("jobs", "cancel_job", job.id)
    if status != 202:
        yield f"{status}: {cancelled}"
    if (job := walk.finish(cancelled)).state != "cancelled" or job.may_run != "source":
        yield f"{job.state}, may run {job.may_run}"
    status, again = walk.call("jobs", "cancel_job", job.id)
    if status != 409 or again.code != "job-finished":
        yield f"again: {status}: {again}"


def problems(walk):
    """Every refusal is a `Problem`, with its facts by name."""
    refusals = [
        (404, "not-found", walk.call("jobs", "get_job", "nothing")),
        (409, "job-exists", walk.job(kind="save", devices=[{"source": "sim-2"}], id="by-hand")),
        (409, "session-exists",
         walk.call("sessions", "open_session", body=walk.models.SessionRequest(device="sim-2"))),
        (422, "invalid-field", walk.job(kind="save", devices=[{"source": "nothing"}])),
        (400, "bad-request", walk.call("jobs", "list_jobs", cursor="nothing")),
    ]
    for status, code, (was, problem) in refusals:
        if was != status or not isinstance(problem, walk.models.Problem) or problem.code != code:
            yield f"wanted {status} {code}, got {was} {problem}"
    pointer = refusals[3][2][1].pointer
    if pointer != "/devices/0/source":
        yield f"the pointer is {pointer}"
    # Not of a simulated device's own content, which its seed makes again.
    session = walk.call("devices", "get_device", "sim-3")[1].session
    status, problem = walk.call("sessions", "close_session", session)
    if status != 409 or problem.code != "session-has-content" or problem.session != session:
        yield f"closing what has content: {status}: {problem}"


def run(report, start):
    daemon = start(DEVICES)
    contract = daemon.call("GET", "/openapi.json").body
    report.check("openapi-python-client makes a client without a warning", made, contract, daemon.directory)
    report.check("it has a function for every operation", complete, contract, daemon.directory)
    if not os.path.isdir(f"{daemon.directory}/ferry_client"):
        return
    walk = Walk(daemon.directory, daemon.url)
    for sentence, function in (
            ("the client lists devices page by page", devices),
            ("the client migrates by hand, with limits it changes on the way", migrate),
            ("the client saves and restores, and the content is the same", save_and_restore),
            ("the client cancels", cancel),
            ("problems come as typed errors", problems)):
        report.check(sentence, function, walk)
