"""A state directory on a real disk of limited size: it fills, is made read-only, and has space again."""

import errno
import os
import subprocess

import checks_disk
import ferry
import harness
import judge
import scenarios
from case import SOURCES, Case, Settings, make_template

TABLE = "real disks"


class Disk:
    """A tmpfs at a daemon's state directory; gone with the block."""

    def __init__(self, case, kibibytes):
        self._case = case
        self._path = case.ferry.state
        self._size = kibibytes
        self._filler = f"{self._path}/filler"

    def __enter__(self):
        os.makedirs(self._path, mode=0o700, exist_ok=True)
        _run("mount", "-t", "tmpfs", "-o", f"size={self._size}k,mode=0700", "none", self._path)
        return self

    def __exit__(self, *_):
        self._case.ferry.kill()
        _run("umount", self._path)

    def fill(self, leave=0):
        """Takes all the space but `leave` KiB."""
        file = os.open(self._filler, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            while os.write(file, bytes(4096)):
                pass
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
        finally:
            os.close(file)
        size = os.path.getsize(self._filler) // 4096 * 4096
        os.truncate(self._filler, max(0, size - leave * 1024))

    def free(self):
        os.remove(self._filler)

    def remount(self, how):
        _run("mount", "-o", f"remount,{how}", self._path)


def _run(*arguments):
    done = subprocess.run(arguments, capture_output=True, text=True)
    if done.returncode:
        raise harness.Unmountable(f"{' '.join(arguments)}: {done.stderr.strip()}")


def _content():
    return [Settings.digests[d] for d in SOURCES[:Settings.pairs]]


def _ended_well(case, answer, what):
    """A job submitted to a daemon whose disk fails: refused, or ended with the truth."""
    if answer.status != 202:
        if answer.status < 500 or (answer.json or {}).get("code") not in ("store-failed", "storage-failed"):
            yield f"{what}: refused with {answer.status}: {answer.text[:300]}"
        return
    job = case.finish(case.seen.note(answer.json))
    yield from judge.live(case.ferry, job, _content())
    if job["state"] == "failed" and job["error"].get("errno") not in ("ENOSPC", "EROFS", "EIO", None):
        yield f"{what}: failed with {job['error']}"


def fills(leave, kind):
    """The disk has `leave` KiB when a job of that kind begins; returns violations and what the job was."""
    scenario = scenarios.BY_NAME[kind]
    with Case(with_shim=False) as case, Disk(case, 4096) as disk:
        template = scenario.template()
        subprocess.run(["cp", "-a", f"{template}/.", case.ferry.state], check=True)
        case.ferry.start()
        case.look()
        disk.fill(leave)
        answer = case.ferry.post("/v1/jobs", scenario.body(case))
        if answer.status == 202:
            scenario.steer(case, case.seen.note(answer.json))
        violations = list(_ended_well(case, answer, kind))
        job = case.seen.job
        violations += judge.reads_work(case.ferry)
        was = job["state"] if job else "refused"
        disk.free()
        if job:
            violations += judge.can_be_freed(case.ferry, job, _content())
        violations += judge.migrates_afresh(case.ferry)
        case.ferry.kill()
        case.ferry.start()
        violations += judge.after_restart(case.ferry, case.seen)
        violations += judge.images_restore(case.ferry)
        violations += judge.migrates_afresh(case.ferry)
    return violations, was


def full_at_start():
    with Case(make_template("image", scenarios._save_one), with_shim=False) as case:
        with Case(with_shim=False) as other, Disk(other, 4096) as disk:
            subprocess.run(["cp", "-a", f"{case.ferry.state}/.", other.ferry.state], check=True)
            disk.fill()
            yield from _starts_or_says_why(other.ferry)
            other.ferry.kill()
            disk.free()
            other.ferry.start()
            yield from judge.images_restore(other.ferry)
            yield from judge.migrates_afresh(other.ferry)


def _starts_or_says_why(daemon):
    try:
        daemon.start()
    except ferry.Refused as refused:
        yield from checks_disk.says_the_way_out(refused)


def read_only_at_start():
    template = make_template("image", scenarios._save_one)
    with Case(with_shim=False) as case, Disk(case, 4096) as disk:
        subprocess.run(["cp", "-a", f"{template}/.", case.ferry.state], check=True)
        before = _bytes(case.ferry.state)
        disk.remount("ro")
        refused = None
        try:
            case.ferry.start()
        except ferry.Refused as error:
            refused = error
        if refused is None:
            yield "ferryd serves from a directory it cannot write to"
        else:
            yield from _starts_or_says_why(case.ferry)
        case.ferry.kill()
        disk.remount("rw")
        if _bytes(case.ferry.state) != before:
            yield "the refused start changed the store"
        case.ferry.start()
        yield from judge.images_restore(case.ferry)
        yield from judge.migrates_afresh(case.ferry)


def _bytes(directory):
    with open(f"{directory}/ferry.sqlite", "rb") as file:
        return file.read()


def run(report, share):
    why = os.environ.get("FAULTS_NO_MOUNT")
    if why:
        report.skip("State directories on real disks of limited size", why)
        return
    clock = harness.Clock(share)
    kinds = ["save, run", "save, stop", "restore", "migrate", "cancel"]
    amounts = [0, 4, 8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 256, 384, 512]
    arguments = [(amounts[i], kind) for i in harness.spread(len(amounts)) for kind in kinds]
    violations, states = {}, {}
    for (leave, kind), result, broken in harness.tries(fills, arguments, clock, least=10):
        wrong, was = result or ([broken], "?")
        violations.setdefault(kind, []).extend(f"{leave} KiB left: {w}" for w in wrong)
        states.setdefault(kind, set()).add(was)
        report.count(TABLE, kind, was, len(wrong))
    for kind in kinds:
        number = sum(report.counted(TABLE, kind, was) for was in states.get(kind, ()))
        wrong = violations.get(kind, [])
        # What a restore writes, its journal, may fit into what the log has already.
        if kind != "restore" and not states.get(kind, set()) - {"succeeded", "cancelled"}:
            wrong = wrong + ["the disk was never full for it"]
        report.row(f"{kind}: on a disk that fills, {number} sizes", wrong)
    report.check("A daemon that starts on a full disk serves or says what to do, and works when there is space",
                 full_at_start)
    report.check("A store that cannot be written is refused with the way out, is left alone, and works later",
                 read_only_at_start)
