"""ferryd as a process of its own: simulated devices, and anonymous loopback on a free port."""

import json
import os
import re
import select
import signal
import subprocess
import time
import urllib.error
import urllib.request

PATIENCE = float(os.environ.get("API_PATIENCE", "30"))


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    def require(self, *statuses):
        if self.status not in statuses:
            raise AssertionError(f"expected {statuses}, got {self.status}: {self.body[:600]!r}")
        return self.json if self.body else None


class Ferryd:
    """A daemon whose state is in a directory that outlives it."""

    def __init__(self, binary, directory, simulate):
        self.directory = directory
        self._arguments = [binary, "--state-directory", f"{directory}/state",
                           "--listen", "tcp:127.0.0.1:0", "--allow-anonymous-loopback",
                           # This host's own devices are none of a test's business.
                           "--sysfs-root", f"{directory}/sys"]
        for spec in simulate:
            self._arguments += ["--simulate", spec]
        self._process = None
        self.port = None

    def __enter__(self):
        os.makedirs(f"{self.directory}/sys", exist_ok=True)
        with open(f"{self.directory}/log", "ab") as log:
            self._process = subprocess.Popen(self._arguments, stdin=subprocess.DEVNULL,
                                             stdout=subprocess.PIPE, stderr=log)
        self.port = self._await_port()
        return self

    def __exit__(self, *_):
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()
            self._process = None

    def _await_port(self):
        stream, text = self._process.stdout, b""
        deadline = time.monotonic() + PATIENCE
        while not (found := re.search(rb"listening tcp:127\.0\.0\.1:(\d+)\n", text)):
            ready, _, _ = select.select([stream], [], [], max(0, deadline - time.monotonic()))
            piece = os.read(stream.fileno(), 4096) if ready else b""
            if not piece:
                raise AssertionError(f"ferryd does not serve: {self.log()[-800:]}")
            text += piece
        return int(found[1])

    def log(self):
        with open(f"{self.directory}/log", errors="replace") as log:
            return log.read()

    # ---- The process

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def is_alive(self):
        return self._process.poll() is None

    def terminate(self, seconds):
        """SIGTERM; its exit status, or None when it is still there after so long."""
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return None

    def descriptors(self):
        return len(os.listdir(f"/proc/{self._process.pid}/fd"))

    def memory_kib(self, field="VmRSS"):
        """What the kernel says of its memory; VmHWM is the most there was."""
        with open(f"/proc/{self._process.pid}/status") as status:
            return int(re.search(rf"^{field}:\s+(\d+) kB", status.read(), re.M)[1])

    # ---- HTTP, as a well-behaved client

    def call(self, method, path, body=None, headers=None, timeout=PATIENCE + 60):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers or {}, method=method)
        if data is not None:
            request.add_header("Content-Type", "application/json")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=timeout) as response:
                return Answer(response.status, response.headers, response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())

    def get(self, path):
        return self.call("GET", path).require(200)

    def finish(self, job):
        """Long polls until the job has ended."""
        deadline = time.monotonic() + PATIENCE
        while job["state"] in ("queued", "running", "cancelling"):
            if time.monotonic() > deadline:
                raise AssertionError(f"the job never ended: {json.dumps(job)[:900]}")
            job = self.get(f"/v1/jobs/{job['id']}?after_generation={job['generation']}&wait=5")
        return job
