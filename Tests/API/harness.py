"""Checks, each a sentence, and the report they make."""

import os
import time
import traceback

BUDGET = float(os.environ.get("API_BUDGET") or 120)
_SHOWN = 12


class Skip(Exception):
    """A check cannot be made here, and why."""


class Report:
    """What was found; closes with the line that CI reads."""

    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.skipped = []
        self._failures = []

    def group(self, name):
        print(f"\n-- {name}", flush=True)

    def row(self, sentence, wrong, seconds=None):
        """One check: good when nothing is wrong."""
        wrong = [str(line) for line in wrong]
        self.passed += not wrong
        self.failed += bool(wrong)
        word = "not ok" if wrong else "ok"
        took = f"{seconds:7.2f} s" if seconds is not None else " " * 9
        print(f"{word:<7}{took}  {sentence}", flush=True)
        for line in wrong[:_SHOWN]:
            print(f"                  {line}", flush=True)
        if len(wrong) > _SHOWN:
            print(f"                  and {len(wrong) - _SHOWN} more", flush=True)
        if wrong:
            self._failures.append(sentence)

    def check(self, sentence, function, *arguments):
        """Runs a check that yields what is wrong."""
        started = time.monotonic()
        try:
            wrong = list(function(*arguments) or ())
        except Skip as why:
            self.skipped.append(sentence)
            print(f"SKIPPED           {sentence}\n                  because {why}", flush=True)
            return
        except Exception:  # a check that breaks is a failed check; the others still run
            wrong = traceback.format_exc().splitlines()[-_SHOWN:]
        self.row(sentence, wrong, time.monotonic() - started)

    def note(self, text):
        print(f"                  {text}", flush=True)

    def end(self):
        print()
        if self.skipped:
            print(f"{len(self.skipped)} skipped: {'; '.join(self.skipped)}")
        for sentence in self._failures:
            print(f"not ok: {sentence}")
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return 0 if self.failed == 0 and self.passed else 1


def wait_until(probe, seconds=10):
    """Polls for what nothing announces; returns the last answer."""
    deadline = time.monotonic() + seconds
    while not (answer := probe()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return answer
