"""What a daemon is doing when something goes wrong: each scenario can be run as often as it takes."""

import os
import time

import case as cases
import control
import ferry
from case import Case, Settings, make_template, pairs


class Scenario:
    """`act(case)` does it, from the state directory `template()` on, in a daemon that serves already."""

    # Whether act() starts the daemon itself.
    starts = False
    # Phases for a scenario that is no job.
    phase = None

    def __init__(self, name):
        self.name = name

    def template(self):
        return make_template("empty")

    def act(self, case):
        raise NotImplementedError


class JobScenario(Scenario):
    def body(self, case):
        raise NotImplementedError

    def act(self, case):
        job = case.submit(self.body(case))
        if job:
            self.steer(case, job)

    def steer(self, case, job):
        case.finish(job)


class Save(JobScenario):
    def __init__(self, after):
        super().__init__(f"save, {after}")
        self._after = after

    def body(self, case):
        return ferry.save([s for s, _ in pairs()], self._after)


class Restore(JobScenario):
    def __init__(self):
        super().__init__("restore")

    def template(self):
        return make_template("image", _save_one)

    def body(self, case):
        return ferry.restore(_image(case), [t for _, t in pairs()], [s for s, _ in pairs()])


class Migrate(JobScenario):
    def __init__(self):
        super().__init__("migrate")

    def body(self, case):
        return ferry.migrate(pairs(), switchover={"mode": "manual"})

    def steer(self, case, job):
        job = case.follow(job, _is_at_gate_or_over, "came to the gate")
        if job["state"] not in ferry.TERMINAL:
            answer = case.ferry.post(f"/v1/jobs/{job['id']}/switchover")
            # A store that takes nothing takes no switchover; a cancel waits for none.
            if answer.status >= 500:
                case.ferry.post(f"/v1/jobs/{job['id']}/cancel").require(202)
        case.finish(job)


class Cancel(Migrate):
    def __init__(self):
        JobScenario.__init__(self, "cancel")

    def steer(self, case, job):
        job = case.follow(job, _is_at_gate_or_over, "came to the gate")
        if job["state"] not in ferry.TERMINAL:
            case.ferry.post(f"/v1/jobs/{job['id']}/cancel")
        case.finish(job)


class Reset(JobScenario):
    def __init__(self):
        super().__init__("reset")

    def body(self, case):
        return {"kind": "reset", "devices": [{"source": s} for s, _ in pairs()]}


class DeleteImage(Scenario):
    phase = "deleting"

    def __init__(self):
        super().__init__("delete of an image")

    def template(self):
        return make_template("image", _save_one)

    def act(self, case):
        case.seen.deletes = True
        answer = case.ferry.call("DELETE", f"/v1/images/{_image(case)}")
        if answer.status != 204:
            case.seen.refusal = answer


class FirstStart(Scenario):
    starts = True
    phase = "start-up"

    def __init__(self):
        super().__init__("first start")

    def template(self):
        path = f"{Settings.scratch}/template-nothing"
        os.makedirs(path, exist_ok=True)
        return path

    def act(self, case):
        case.ferry.start()


class Recover(Scenario):
    """The start of a daemon whose predecessor was killed in the middle of a migrate."""

    starts = True
    phase = "recovery"

    def __init__(self):
        super().__init__("recovery")

    def template(self):
        path = f"{Settings.scratch}/template-crashed"
        if not os.path.exists(path):
            with Case(make_template("image", _save_one), with_shim=False) as case:
                case.ferry.start()
                job = case.submit(Migrate().body(case))
                case.follow(job, _is_at_gate_or_over, "came to the gate")
                case.ferry.kill()
                ferry.copy_tree(case.ferry.state, path)
        return path

    def act(self, case):
        case.ferry.start()


class Stop(Scenario):
    phase = "stopping"

    def __init__(self):
        super().__init__("stop")

    def act(self, case):
        if case.ferry.terminate() == -9:
            raise ferry.Died("killed as it stopped")


def _save_one(case):
    sources = [s for s, _ in pairs()]
    job = case.finish(case.submit(ferry.save(sources)))
    assert job["state"] == "succeeded", job


def _image(case):
    return case.seen.images[0]


def _is_at_gate_or_over(job):
    return job.get("phase") == "awaiting_switchover" or job["state"] in ferry.TERMINAL


JOBS = [Save("run"), Save("stop"), Restore(), Migrate(), Cancel(), Reset()]
ALL = JOBS + [DeleteImage(), FirstStart(), Recover(), Stop()]
BY_NAME = {s.name: s for s in ALL}


def chosen():
    """All, or the one that FAULTS_SCENARIO names."""
    name = os.environ.get("FAULTS_SCENARIO")
    return [BY_NAME[name]] if name else ALL


def run(scenario, mode=control.COUNT, first=0, last=None, error=0, classes=control.EVERY_CLASS, body=None):
    """Runs a scenario with the shim armed so, and calls `body(case)` in it, dead daemon or alive."""
    with Case(scenario.template()) as case:
        os.makedirs(case.ferry.state, mode=0o700, exist_ok=True)
        if not scenario.starts:
            case.ferry.start()
            case.look()
        case.page.forget()
        case.page.arm(mode, first, last, error, classes)
        died = None
        try:
            scenario.act(case)
        except (ferry.Died, ferry.Refused) as ended:
            died = ended
        return body(case, died)


def count(scenario):
    """The calls of a run in which nothing goes wrong, and the phases its journal names."""
    def collect(case, died):
        if died:
            raise ferry.Unexpected(f"{scenario.name} fails without a fault: {died}")
        settled_calls(case.page)
        trace = case.page.trace()
        if scenario.phase:
            return trace, [scenario.phase]
        job = case.seen.job
        if job is None or job["state"] not in ("succeeded", "cancelled"):
            raise ferry.Unexpected(f"{scenario.name} fails without a fault: {case.seen.refusal.text if case.seen.refusal else job}")
        return trace, phases_of(case.ferry.journal(job["id"]))
    return run(scenario, body=collect)


def settled_calls(page):
    """The calls when no more come: the checkpoint after a job belongs to it, and nothing tells its end."""
    calls = -1
    while calls != page.calls:
        calls = page.calls
        time.sleep(0.2)
    return calls


def phases_of(journal):
    phases = []
    for line in journal:
        phase = phase_of(line)
        if phase not in phases:
            phases.append(phase)
    return phases


def phase_of(line):
    return "ended" if line["line"] == "finished" else line.get("phase") or "accepted"
