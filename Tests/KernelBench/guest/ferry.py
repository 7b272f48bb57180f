"""ferryd as its users see it: a process, and HTTP with JSON."""

import contextlib
import http.client
import itertools
import json
import os
import re
import shutil
import socket
import subprocess
import time

import service_manager
from devices import owner
from harness import Failed, expect, expect_equal, open_log, settings

_numbers = itertools.count(1)
TERMINAL = {"succeeded", "failed", "cancelled", "indeterminate"}


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode()
        self.json = json.loads(self.text) if self.text else None

    def require(self, *statuses):
        expect(self.status in statuses, f"expected {statuses}, got {self.status}: {self.text}")
        return self.json

    def problem(self, status, code):
        """The answer as a problem of that status and code."""
        self.require(status)
        expect_equal(self.headers.get_content_type(), "application/problem+json", "content type of the refusal")
        expect_equal(self.json["code"], code, f"code of the refusal ({self.text})")
        return self.json


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Events:
    """A stream of server-sent events, read as they come."""

    def __init__(self, response):
        expect_equal(response.status, 200, "status of the event stream")
        self._response = response

    def until(self, kind, device=None):
        """Blocks until there is one of that type, of that device; the connection's timeout is the limit."""
        while True:
            line = self._response.readline().decode()
            expect(line, f"the stream ended before {kind} of {device}")
            if line.startswith("data:"):
                event = json.loads(line.removeprefix("data:"))
                if event["type"] == kind and device in (None, event.get("device")):
                    return event


class Ferryd:
    """A daemon with a state directory of its own; killed, without a word, at the end of the block.

    With `kept` a service manager starts it, and keeps the files of its sessions for the next start.
    """

    def __init__(self, kept=False):
        self.number = next(_numbers)
        self.directory = f"/run/ferry-{self.number}"  # a tmpfs: short enough for a socket's path
        self.state = f"{self.directory}/state"
        self._socket = f"{self.directory}/api.sock"
        self._port = None
        self._process = None
        self._kept = kept
        self.manager = None

    def __enter__(self):
        os.makedirs(self.state, mode=0o700)
        if self._kept:
            self.manager = service_manager.ServiceManager(f"{self.directory}/notify")
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()
        if self.manager:
            self.manager.close()
        shutil.rmtree(self.directory)

    def start(self):
        """Returns when the daemon says that it serves."""
        arguments = [f"{settings()['bin_dir']}/ferryd", "--state-directory", self.state,
                     "--listen", f"unix:{self._socket}", "--listen", "tcp:127.0.0.1:0", "--allow-anonymous-loopback"]
        with open_log(f"ferryd-{self.number}.log") as log:
            if self.manager:
                self._process = self.manager.launch(arguments, dict(os.environ), log)
            else:
                self._process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=log)
        addresses = []
        while len(addresses) < 2:
            line = self._process.stdout.readline().decode()
            expect(line, f"ferryd ended before it served: {self._process.poll()}")
            addresses += re.findall(r"^listening (\S+)", line)
        self._port = int(next(a for a in addresses if a.startswith("tcp:")).rpartition(":")[2])

    def kill(self):
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    # ---- HTTP

    def call(self, method, path, body=None, over_tcp=False):
        # Longer than the longest wait of a long poll
        connection = (http.client.HTTPConnection("127.0.0.1", self._port, timeout=90) if over_tcp
                      else _UnixConnection(self._socket, timeout=90))
        try:
            headers = {} if body is None else {"Content-Type": "application/json"}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, path, **options):
        return self.call("GET", path, **options).require(200)

    def post(self, path, body=None):
        return self.call("POST", path, {} if body is None else body)

    @contextlib.contextmanager
    def events(self):
        """The events from now on."""
        with contextlib.closing(_UnixConnection(self._socket, timeout=30)) as connection:
            connection.request("GET", "/v1/events", headers={"Accept": "text/event-stream"})
            events = Events(connection.getresponse())
            events.until("ready")
            yield events

    # ---- sessions

    @property
    def workload_socket(self):
        return f"{self.state}/workload.sock"

    def adopt(self, device, nonce, by=None):
        """An owner writes the nonce into the device and hands it over; returns the session's id."""
        return owner("give", self.workload_socket, device, nonce, by=by)

    def collect(self, session):
        """An owner takes the device back; returns the nonce it reads."""
        device = self.get(f"/v1/sessions/{session}")["device"]
        return owner("collect", self.workload_socket, session, device)

    def open(self, device, joins=None):
        """ferryd opens the device itself, in another session's address space or one of its own; the session's id."""
        body = {"device": device} if joins is None else {"device": device, "joins": joins}
        return self.post("/v1/sessions", body).require(201)["id"]

    def content(self, session):
        return self.get(f"/v1/sessions/{session}")["content"]

    # ---- jobs

    def submit(self, body):
        return self.post("/v1/jobs", body).require(202)

    def job_when(self, job, ready, what, seconds=60):
        """Follows the job by long polls until `ready(job)`."""
        deadline = time.monotonic() + seconds
        while not ready(job):
            expect(time.monotonic() < deadline, f"job never {what}: {json.dumps(job)}")
            job = self.get(f"/v1/jobs/{job['id']}?after_generation={job['generation']}&wait=10")
        return job

    def finish(self, job):
        return self.job_when(job, lambda j: j["state"] in TERMINAL, "ended")

    def succeed(self, body):
        job = self.finish(self.submit(body))
        expect_equal(job["state"], "succeeded", f"state of the {body['kind']} ({json.dumps(job.get('error'))})")
        expect_equal(job["warnings"], [], f"warnings of the {body['kind']}")
        return job

    def journal(self, job):
        return self.get(f"/v1/jobs/{job}/journal?limit=1000")["items"]


def save(source):
    return {"kind": "save", "devices": [{"source": source}]}


def restore(image, target):
    return {"kind": "restore", "image": image, "accept_copy": True, "devices": [{"target": target}]}


def migrate(source, target, **more):
    return {"kind": "migrate", "devices": [{"source": source, "target": target}], **more}


def save_set(sources):
    return {"kind": "save", "devices": [{"source": source} for source in sources]}


def restore_set(image, sources, targets):
    """The members of the image that were saved of `sources`, each to its target."""
    return {"kind": "restore", "image": image, "accept_copy": True, "devices": _pairs(sources, targets)}


def migrate_set(sources, targets, **more):
    return {"kind": "migrate", "devices": _pairs(sources, targets), **more}


def _pairs(sources, targets):
    return [{"source": source, "target": target} for source, target in zip(sources, targets)]


def one(items, what):
    items = list(items)
    if len(items) != 1:
        raise Failed(f"expected one {what}, got {len(items)}: {items}")
    return items[0]
