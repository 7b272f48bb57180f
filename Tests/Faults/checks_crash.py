"""ferryd killed before and after every call that changes durable state, in every scenario."""

import bisect
import itertools

import case as cases
import control
import ferry
import harness
import judge
import scenarios

TABLE = "crash points"
# Where in a scenario's calls its phases begin: [(call, phase)], as the crash points found them.
found_phases = {}


def crash(name, number, mode):
    """One crash point; returns (phase, violations), or None when the run ended before it."""
    scenario = scenarios.BY_NAME[name]
    return scenarios.run(scenario, mode, number, body=lambda case, died: _judge(scenario, case, died))


def _judge(scenario, case, died):
    daemon = case.ferry
    # What the daemon does behind the client's back, as the checkpoint after a job, comes yet.
    if case.page.hits == 0 and not harness.wait_until(lambda: case.page.hits, 2):
        return None
    if daemon.is_running and daemon.wait() != -9:
        return "?", [f"ferryd ended by itself: {daemon.log()[-800:]}"]
    if isinstance(died, ferry.Refused) and died.status != -9:
        return "?", [str(died)]
    case.page.disarm()
    violations = []
    daemon.start()
    record = judge.Record(daemon)
    phase = scenario.phase or phase_at_death(record)
    violations += judge.after_restart(daemon, case.seen)
    daemon.kill()
    daemon.start()
    violations += judge.same_after_another_restart(record, judge.Record(daemon))
    violations += judge.images_restore(daemon)
    violations += judge.migrates_afresh(daemon)
    return phase, violations


def phase_at_death(record):
    """Where the job was by its journal when the daemon died."""
    if not record.jobs:
        return "not accepted"
    # Newest first; a template's job is older.
    job = next(iter(record.jobs.values()))
    lines = list(itertools.takewhile(lambda line: line["line"] != "recovered", record.journals[job["id"]]))
    return scenarios.phase_of(lines[-1])


def run(report, share):
    chosen = scenarios.chosen()
    for scenario in chosen:
        clock = harness.Clock(share / len(chosen))
        try:
            trace, phases = scenarios.count(scenario)
        except Exception as error:
            report.row(f"{scenario.name}: runs without a fault", [repr(error)])
            continue
        try_all(report, scenario, len(trace), phases, clock)


def try_all(report, scenario, calls, phases, clock, function=None, table=TABLE):
    """Tries as many crash points of a scenario as the clock allows, and tells of each phase."""
    points = [(n, mode) for n in range(1, calls + 1) for mode in (control.KILL_BEFORE, control.KILL_AFTER)]
    order = [points[i] for i in harness.spread(len(points))]
    outcome = _Outcome(report, scenario, calls, function or crash, table)
    outcome.take(order, clock)
    # The sample may have stepped over a short phase: look between neighbours of different phases.
    for _ in range(40):
        between = outcome.gaps(phases)
        if not between:
            break
        outcome.take([(n, control.KILL_AFTER) for n in between], clock, least=len(between))
    outcome.tell(len(points), phases)


class _Outcome:
    def __init__(self, report, scenario, calls, function, table):
        self._function = function
        self._table = table
        self._report = report
        self._scenario = scenario
        self._calls = calls
        self._phases = {}
        self._violations = {}
        self._tried = 0
        self._missed = 0

    def take(self, points, clock, least=4):
        arguments = [(self._scenario.name, n, mode) for n, mode in points]
        for (_, number, mode), result, broken in harness.tries(self._function, arguments, clock, least):
            if broken is None and result is None:
                self._missed += 1
                continue
            phase, wrong = result or ("?", [broken])
            self._tried += 1
            when = "before" if mode == control.KILL_BEFORE else "after"
            self._phases[number] = phase
            self._violations.setdefault(phase, []).extend(f"killed {when} call {number}: {w}" for w in wrong)
            self._report.count(self._table, self._scenario.name, phase, len(wrong))

    def gaps(self, phases):
        """Untried calls in the middle between neighbours of different phases, or of the widest gaps."""
        if all(p in self._violations for p in phases):
            return []
        numbers = sorted(self._phases)
        ends = list(zip(numbers, numbers[1:])) + [(numbers[-1], self._calls + 1)] if numbers else []
        wide = [(a, b) for a, b in ends if b - a > 1]
        borders = [(a, b) for a, b in wide if self._phases[a] != self._phases.get(b)]
        # A phase may come back, as that of a rollback does: then no border shows what lies between.
        widest = sorted(wide, key=lambda gap: gap[0] - gap[1])[:6]
        return [(a + b) // 2 for a, b in borders or widest]

    def tell(self, points, phases):
        known = [(number, phase) for number, phase in self._phases.items() if phase != "?"]
        found_phases[self._table, self._scenario.name] = sorted(known)
        name = self._scenario.name
        print(f"{name}: {self._tried} of {points} {self._table} tried"
              + (f"; in {self._missed} runs there was no such call" if self._missed else ""))
        # "?" only when something broke; "not accepted" is no phase of any journal.
        others = [p for p in self._violations if p not in phases]
        for phase in phases + others:
            tried = self._report.counted(self._table, name, phase)
            wrong = list(self._violations.get(phase, []))
            if not tried:
                wrong = ["no crash point lies in it"]
            kept = ", descriptors kept" if self._table != TABLE else ""
            self._report.row(f"{name}: killed in {phase}{kept}, {tried} crash points", wrong)


def phase_at(name, number):
    """The phase of a call by the crash points that were tried."""
    known = found_phases.get((TABLE, name), [])
    index = bisect.bisect_right([n for n, _ in known], number)
    if index:
        return known[index - 1][1]
    return known[0][1] if known else scenarios.BY_NAME[name].phase or "?"
