"""ferryd as its users see it: a process, and HTTP with JSON."""

import http.client
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import time

TERMINAL = {"succeeded", "failed", "cancelled", "indeterminate"}
# A sanitizer's build is slower by far; nothing here is a measurement, only the bound of a hang.
PATIENCE = float(os.environ.get("FAULTS_PATIENCE", "30"))


class Died(Exception):
    """ferryd is not there any more."""


class Refused(Exception):
    """ferryd ended before it served; `status` as subprocess tells it, `log` is what it said."""

    def __init__(self, status, log):
        super().__init__(f"ferryd ended before it served, with {status}: {log.strip()[-600:]}")
        self.status = status
        self.log = log


class Hung(Exception):
    """Something did not come within PATIENCE."""


class Unexpected(Exception):
    """An answer that the caller had no use for."""


class Answer:
    def __init__(self, status, text):
        self.status = status
        self.text = text
        self.json = json.loads(text) if text else None

    def require(self, *statuses):
        if self.status not in statuses:
            raise Unexpected(f"expected {statuses}, got {self.status}: {self.text[:600]}")
        return self.json


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=PATIENCE + 15)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Ferryd:
    """A daemon in a directory of its own, where its state outlives it."""

    def __init__(self, directory, binary, simulate, page=None, shim=None):
        self.directory = directory
        self.state = f"{directory}/state"
        self.log_path = f"{directory}/log"
        self.simulate = list(simulate)
        self.page = page
        self._binary = binary
        self._shim = shim
        self._launch = _launch
        self._socket = f"{directory}/api.sock"
        self._process = None
        self._connection = None
        self._log_start = 0
        # Of processes that ended, when it is a sanitizer's build.
        self.sanitizer_reports = []

    def launch_by(self, launch):
        """Something else starts the process: `launch(arguments, environment, log)`."""
        self._launch = launch

    # ---- The process

    def start(self):
        """Returns when the daemon says that it serves. Throws Refused when it does not."""
        arguments = [self._binary, "--state-directory", self.state, "--listen", f"unix:{self._socket}"]
        for spec in self.simulate:
            arguments += ["--simulate", spec]
        environment = dict(os.environ)
        if self.page:
            environment |= {"LD_PRELOAD": self._shim, "FAULT_ROOT": self.state, "FAULT_PAGE": self.page.path}
        with open(self.log_path, "ab") as log:
            self._log_start = log.tell()
            self._process = self._launch(arguments, environment, log)
        self._await_listening()

    def _await_listening(self):
        stream, text = self._process.stdout, b""
        deadline = time.monotonic() + PATIENCE
        while b"listening unix:" not in text or not text.endswith(b"\n"):
            ready, _, _ = select.select([stream], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                self.kill()
                raise Hung(f"ferryd did not say within {PATIENCE} s that it serves")
            piece = os.read(stream.fileno(), 4096)
            if not piece:
                status = self._process.wait()
                self._forget_process()
                raise Refused(status, self.log())
            text += piece

    @property
    def is_alive(self):
        return self._process is not None and self._process.poll() is None

    @property
    def is_running(self):
        """Whether its end was not seen yet."""
        return self._process is not None

    def kill(self):
        if self._process:
            self._process.kill()
            self._process.wait()
            self._forget_process()

    def terminate(self):
        """SIGTERM until it goes; returns its status."""
        for _ in range(int(PATIENCE * 2)):
            self._process.send_signal(signal.SIGTERM)
            try:
                status = self._process.wait(timeout=0.5)
            except subprocess.TimeoutExpired:
                continue
            self._forget_process()
            return status
        raise Hung(f"ferryd did not stop within {PATIENCE} s of SIGTERM")

    def wait(self):
        """For the end of a process that is about to die; returns its status."""
        try:
            status = self._process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            raise Hung("ferryd was to die and lives") from None
        self._forget_process()
        return status

    def _forget_process(self):
        if re.search(r"(WARNING|ERROR): \w+Sanitizer", self.log()):
            self.sanitizer_reports.append(self.log()[-4000:])
        self._process.stdout.close()
        self._process = None
        self.hang_up()

    def hang_up(self):
        if self._connection:
            self._connection.close()
            self._connection = None

    def log(self):
        """What the process said since its start."""
        with open(self.log_path, "rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    # ---- HTTP

    def call(self, method, path, body=None):
        """One request. Throws Died when the daemon dies over it."""
        headers = {} if body is None else {"Content-Type": "application/json"}
        for attempt in (1, 2):
            fresh = self._connection is None
            if fresh:
                self._connection = _UnixConnection(self._socket)
            try:
                self._connection.request(method, path, None if body is None else json.dumps(body), headers)
                response = self._connection.getresponse()
                return Answer(response.status, response.read().decode())
            except TimeoutError:
                self.hang_up()
                raise Hung(f"{method} {path} was not answered within {PATIENCE + 15} s") from None
            except (OSError, http.client.HTTPException) as error:
                self.hang_up()
                # A connection that was kept may have been closed meanwhile; a fresh one may not.
                if fresh or attempt == 2 or method != "GET":
                    raise Died(f"{method} {path}: {error!r}") from None

    def get(self, path):
        return self.call("GET", path).require(200)

    def post(self, path, body=None):
        return self.call("POST", path, {} if body is None else body)

    def items(self, path):
        """Every item of a list."""
        items, cursor = [], ""
        while True:
            page = self.get(f"{path}?limit=1000{cursor}")
            items += page["items"]
            if not page.get("next_cursor"):
                return items
            cursor = f"&cursor={page['next_cursor']}"

    def journal(self, job):
        return self.get(f"/v1/jobs/{job}/journal?limit=1000")["items"]

    def device(self, device):
        return self.get(f"/v1/devices/{device}")

    # ---- Jobs

    def follow(self, job, ready, what):
        """Long polls until `ready(job)`."""
        deadline = time.monotonic() + PATIENCE
        while not ready(job):
            if time.monotonic() > deadline:
                raise Hung(f"the job never {what}: {json.dumps(job)[:900]}")
            job = self.get(f"/v1/jobs/{job['id']}?after_generation={job['generation']}&wait=5")
        return job

    def finish(self, job):
        return self.follow(job, lambda j: j["state"] in TERMINAL, "ended")


def _launch(arguments, environment, log):
    return subprocess.Popen(arguments, env=environment, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=log)


def save(sources, after="run"):
    return {"kind": "save", "devices": [{"source": s} for s in sources], "after": after}


def restore(image, targets, members=()):
    """`members`: the devices the image was saved from, for an image of several."""
    devices = [{"target": t} for t in targets]
    if len(members) > 1:
        devices = [{"source": s, "target": t} for s, t in zip(members, targets)]
    return {"kind": "restore", "image": image, "accept_copy": True, "discard_target_content": True,
            "devices": devices}


def migrate(pairs, **more):
    return {"kind": "migrate", "discard_target_content": True,
            "devices": [{"source": s, "target": t} for s, t in pairs], **more}


def copy_tree(source, destination):
    """The state directory of a dead daemon, with its sockets left out."""
    shutil.copytree(source, destination, ignore=lambda d, names: [n for n in names if n.endswith(".sock")])
