"""Checks, each a sentence, and the table they make."""

import json
import os
import time
import traceback

SHARE = "/run/bench"
LOGS = f"{SHARE}/logs"
_checks = []
_running = ""


class Failed(AssertionError):
    """What a check found wrong, in words."""


def check(sentence, only=None):
    """Registers a function as a row of the table, or as several if it yields them; on one path alone with `only`."""
    def register(function):
        if only in (None, path()):
            group = function.__module__.removeprefix("checks_")
            _checks.append((group, sentence, function))
        return function
    return register


def expect(condition, otherwise):
    if not condition:
        raise Failed(otherwise)


def expect_equal(actual, expected, what):
    expect(actual == expected, f"{what}: expected {expected!r}, got {actual!r}")


def wait_until(probe, what, seconds=30):
    """Polls for what nothing announces. Returns the first true answer."""
    deadline = time.monotonic() + seconds
    while True:
        answer = probe()
        if answer:
            return answer
        expect(time.monotonic() < deadline, f"{what}: not within {seconds} s")
        time.sleep(0.05)


def open_log(name):
    """A log that run.sh shows when a check failed; headed by the check it belongs to."""
    file = open(f"{LOGS}/{name}", "ab")
    file.write(f"{_running}\n".encode())
    file.flush()
    return file


def settings():
    with open(f"{SHARE}/settings.json", encoding="utf-8") as file:
        return json.load(file)


def path():
    """How this guest's devices are opened: "cdev" (and iommufd) or "group" (and container)."""
    return settings()["path"]


class Table:
    """Rows go to the console as they come, and to a file that decides the result. Each begins with the guest's path."""

    def __init__(self):
        self._file = open(f"{SHARE}/results", "w", encoding="utf-8")

    def row(self, good, seconds, sentence, why=""):
        word = "ok" if good else "not ok"
        sentence = f"{path()}: {sentence}"
        print(f"{word:<7}{seconds:6.2f} s  {sentence}", flush=True)
        if why:
            print("".join(f"                 {line}\n" for line in why.splitlines()), end="", flush=True)
        self._write(f"{word} {sentence}")

    def end(self):
        self._write("end")

    def _write(self, line):
        self._file.write(line + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())


def run(table, only):
    global _running
    os.makedirs(LOGS, exist_ok=True)
    for group, sentence, function in _checks:
        if only and group not in only:
            continue
        _running = sentence
        started = time.monotonic()
        for name, why in _outcomes(sentence, function):
            now = time.monotonic()
            table.row(why is None, now - started, name, why or "")
            started = now


def _outcomes(sentence, function):
    """The rows of a check: the one it is, or those it yields as (sentence, None or what is wrong)."""
    try:
        rows = function()
        if rows is None:
            yield sentence, None
        else:
            yield from rows
    except Failed as failure:
        yield sentence, str(failure)
    except Exception:  # a check that breaks is a failed check; the others still run
        yield sentence, traceback.format_exc()
