"""One try: a directory of its own, a page for the shim, a daemon, and what its client saw."""

import os
import shutil
import subprocess
import tempfile

import control
import evidence
import ferry
import service_manager

# Four that move, four that take them in, and two that no scenario touches.
SOURCES = [f"sim-{n}" for n in range(4)]
TARGETS = [f"sim-{n}" for n in range(4, 8)]
SPARE = ("sim-8", "sim-9")
SIMULATION = "mlx5:count=10,state=64KiB,seed=7"


class Settings:
    """What run.sh told; the same in every worker, which are forked."""

    ferryd = ""
    simd = ""
    shim = ""
    scratch = ""
    pairs = 1
    # The content that each simulated device starts with, by its seed.
    digests = {}


class Seen:
    """What a client of the daemon knows, and nobody may take back."""

    def __init__(self):
        self.sessions = []
        self.job = None
        self.refusal = None
        self.images = []
        # Whether an image may go.
        self.deletes = False

    def note(self, job):
        self.job = job
        return job


class Case:
    shows_log = False

    def __init__(self, template=None, simulate=(SIMULATION,), with_shim=True):
        # Short: a socket's path has 107 bytes.
        self.directory = tempfile.mkdtemp(prefix="c", dir=Settings.scratch)
        self.page = control.Page(f"{self.directory}/page") if with_shim else None
        self.ferry = ferry.Ferryd(self.directory, Settings.ferryd, simulate, self.page, Settings.shim)
        self.seen = Seen()
        if template:
            ferry.copy_tree(template, self.ferry.state)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.shows_log and os.path.exists(self.ferry.log_path):
            with open(self.ferry.log_path, encoding="utf-8", errors="replace") as log:
                print(log.read())
        try:
            self.ferry.kill()
        finally:
            if self.page:
                self.page.close()
            shutil.rmtree(self.directory, ignore_errors=True)
        if self.ferry.sanitizer_reports:
            raise ferry.Unexpected(self.ferry.sanitizer_reports[0])

    def look(self):
        """What is there before anything goes wrong."""
        self.seen.sessions = [s for s in self.ferry.items("/v1/sessions") if s["status"] == "open"]
        self.seen.images = [i["id"] for i in self.ferry.items("/v1/images")]

    def submit(self, body):
        """The job, or None when the daemon would not have it."""
        answer = self.ferry.post("/v1/jobs", body)
        if answer.status == 202:
            return self.seen.note(answer.json)
        self.seen.refusal = answer
        return None

    def follow(self, job, ready, what):
        return self.ferry.follow(job, lambda j: ready(self.seen.note(j)), what)

    def finish(self, job):
        return self.follow(job, lambda j: j["state"] in ferry.TERMINAL, "ended")


class KeptCase(Case):
    """Devices in a process of their own, and a service manager that keeps the descriptors of them."""

    def __init__(self, template=None, store_max=512):
        super().__init__(template)
        self.log = f"{self.directory}/evidence"
        self.manager = service_manager.ServiceManager(f"{self.directory}/notify", store_max)
        listen = f"{self.directory}/simd.sock"
        with open(f"{self.directory}/simd.log", "ab") as errors:
            self.simd = subprocess.Popen(
                [Settings.simd, "--listen", listen, "--simulate", SIMULATION, "--log", self.log],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors)
        if not self.simd.stdout.readline().startswith(b"listening"):
            raise ferry.Unexpected("ferry-simd does not serve")
        self.ferry.simulate = [f"host={listen}"]
        self.ferry.launch_by(self.manager.launch)

    def __exit__(self, *details):
        self.ferry.kill()
        self.simd.kill()
        self.simd.wait()
        self.simd.stdout.close()
        self.manager.close()
        super().__exit__(*details)

    def evidence(self):
        return evidence.read(self.log)


def pairs():
    return list(zip(SOURCES, TARGETS))[:Settings.pairs]


def make_template(name, prepare=None):
    """The state directory of a daemon that did `prepare(case)` and was stopped; made once."""
    path = f"{Settings.scratch}/template-{name}"
    if not os.path.exists(path):
        with Case(with_shim=False) as case:
            case.ferry.start()
            if prepare:
                prepare(case)
            case.ferry.terminate()
            ferry.copy_tree(case.ferry.state, path)
    return path
