"""Checks, each a sentence; tries, each counted by its phase; and the tables they make."""

import multiprocessing
import os
import time
import traceback

import ferry

BUDGET = float(os.environ.get("FAULTS_BUDGET") or 0)
WORKERS = int(os.environ.get("FAULTS_WORKERS") or 2)
_SHOWN = 12


class Unmountable(Exception):
    """The kernel refused a mount, in words."""


class Skip(Exception):
    """A check cannot be made here, and why."""


class Report:
    """What was found; closes with the line that CI reads."""

    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.skipped = []
        self._counts = {}
        self._violations = 0

    def row(self, sentence, wrong, seconds=None):
        """One check: good when nothing is wrong."""
        wrong = list(wrong)
        self.passed += not wrong
        self.failed += bool(wrong)
        word = "not ok" if wrong else "ok"
        took = f"{seconds:6.2f} s" if seconds is not None else " " * 8
        print(f"{word:<7}{took}  {sentence}", flush=True)
        for line in wrong[:_SHOWN]:
            print(f"                 {line}", flush=True)
        if len(wrong) > _SHOWN:
            print(f"                 and {len(wrong) - _SHOWN} more", flush=True)

    def check(self, sentence, function):
        """Runs a check that yields what is wrong."""
        started = time.monotonic()
        try:
            wrong = list(function() or ())
        except (Skip, Unmountable) as why:
            self.skip(sentence, why)
            return
        except Exception:  # a check that breaks is a failed check; the others still run
            wrong = [traceback.format_exc()]
        self.row(sentence, wrong, time.monotonic() - started)

    def skip(self, sentence, why):
        self.skipped.append(sentence)
        print(f"SKIPPED         {sentence}\n                 because {why}", flush=True)

    def count(self, table, name, phase, violations):
        """One try of a table, which belongs to a phase."""
        counts = self._counts.setdefault(table, {}).setdefault(name, {})
        counts[phase] = counts.get(phase, 0) + 1
        self._violations += violations

    def counted(self, table, name, phase):
        return self._counts.get(table, {}).get(name, {}).get(phase, 0)

    def tables(self):
        """Each table: a line for each name, a column for each phase."""
        for table, rows in self._counts.items():
            total = sum(sum(row.values()) for row in rows.values())
            print(f"\n{table}: {total}")
            for name, row in rows.items():
                cells = "  ".join(f"{phase} {number}" for phase, number in row.items())
                print(f"  {name:<34} {sum(row.values()):>6}  {cells}")

    def end(self):
        self.tables()
        print()
        if self.skipped:
            print(f"{len(self.skipped)} skipped: {'; '.join(self.skipped)}")
        print(f"violations {self._violations}")
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return 0 if self.failed == 0 and self.passed else 1


class Clock:
    """A part of the budget; without a budget it never ends."""

    def __init__(self, share):
        self._end = time.monotonic() + BUDGET * share if BUDGET else None

    @property
    def is_over(self):
        return self._end is not None and time.monotonic() > self._end


def wait_until(probe, seconds=ferry.PATIENCE):
    """Polls for what nothing announces; returns the last answer."""
    deadline = time.monotonic() + seconds
    while not (answer := probe()) and time.monotonic() < deadline:
        time.sleep(0.005)
    return answer


def spread(count):
    """0 to count - 1, so ordered that every beginning of it is evenly spread."""
    bits = max(1, (count - 1).bit_length())
    numbers = (int(f"{n:0{bits}b}"[::-1], 2) for n in range(1 << bits))
    return [n for n in numbers if n < count]


_function = None


def _work(argument):
    try:
        return argument, _function(*argument), None
    except Exception:
        return argument, None, traceback.format_exc()


def tries(function, arguments, clock, least=0):
    """Runs function(*argument) in WORKERS processes; yields (argument, result, what broke).

    In the order given, until the clock is over; the first `least` of them whatever the clock says.
    """
    global _function
    _function = function
    arguments = list(arguments)
    total = len(arguments)
    with multiprocessing.get_context("fork").Pool(WORKERS) as pool:
        waiting = []
        while arguments or waiting:
            while (arguments and len(waiting) < WORKERS * 2
                   and (total - len(arguments) < least or not clock.is_over)):
                waiting.append(pool.apply_async(_work, (arguments.pop(0),)))
            if not waiting:
                return
            done = waiting.pop(0)
            yield done.get()
