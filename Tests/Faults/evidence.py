"""Proves from the log of ferry-simd alone that no content ever acted in two devices at once.

The log (`ferry-simd --log FILE`) is a JSON object a line, added in one write(2) each, so that killing
any process leaves whole lines. `at` is CLOCK_MONOTONIC in nanoseconds. A line is written before the
caller of the device hears of what it tells.

    event         and its fields                       meaning
    host_started  pid                                  every device is new: what was held is gone
    opened        untouched, state, digest, empty      a first open; untouched: with its seed's content
    acts          state, digest, empty                 from now on the device may act
    stops         state, digest, empty                 from now on it can not; what it holds then
    loaded        state, digest, empty                 RESUMING→STOP succeeded; what it holds then
    arc_begun     from, to                             a step of a SET
    arc_done      from, to
    arc_failed    from, to, errno, state               and where the device is then
    error         -                                    the device fell into ERROR
    lost          why, state, digest, empty            content went: opened, reset or closed
    reset         -                                    RESET succeeded
    closed        -                                    the last close

`device` is in every line but `host_started`. A device may act from the beginning of a step into a
state that acts to the end of the step out of all of them: no interval is too short.

Descent. Every untouched device holds an original of its own. What a device holds when it stops
belongs to the original it ran with; its digest is remembered. What a device loads belongs to the
original that last stopped with that digest. So a dirty rate is no matter: pages change while the
device acts and never between `stops` and the `loaded` that a whole stream makes of it. A digest that
no device ever stopped with (a stream cut short that a blind driver took, a corrupt page, an image of
another log) is of unknown descent, and unknown counts as a copy of everything: it may act beside
nobody. An empty device descends from nothing and may act beside anybody.

    >>> log = [
    ...     dict(at=1, event="host_started", pid=1),
    ...     dict(at=2, device="a", event="opened", untouched=True, state="RUNNING", digest="A", empty=False),
    ...     dict(at=2, device="a", event="acts", state="RUNNING", digest="A", empty=False),
    ...     dict(at=3, device="b", event="opened", untouched=False, state="RUNNING", digest="0", empty=True),
    ...     dict(at=3, device="b", event="acts", state="RUNNING", digest="0", empty=True),
    ...     dict(at=4, device="b", event="stops", state="STOP", digest="0", empty=True),
    ...     dict(at=5, device="a", event="stops", state="STOP", digest="A2", empty=False),
    ...     dict(at=6, device="b", event="loaded", state="STOP", digest="A2", empty=False),
    ...     dict(at=7, device="b", event="acts", state="STOP", digest="A2", empty=False),
    ... ]
    >>> double_runs(log)
    []
    >>> lost_contents(log)
    []
    >>> back = dict(at=8, device="a", event="acts", state="STOP", digest="A2", empty=False)
    >>> [(run["devices"], run["from"], run["to"]) for run in double_runs(log + [back])]
    [(('a', 'b'), 8, None)]
    >>> double_runs(log + [back], copies={"A2"})
    []
    >>> end = [dict(at=9, device=d, event="lost", why="closed", state="STOP", digest="A2", empty=False) for d in "ba"]
    >>> [(loss["device"], loss["original"], loss["why"]) for loss in lost_contents(log + end)]
    [('a', 'a@1', 'closed')]
    >>> over = [
    ...     dict(log[1], at=8, device="c", digest="C"), dict(log[2], at=8, device="c", digest="C"),
    ...     dict(log[6], at=9, device="c", digest="C"), dict(log[7], at=10, device="c"),
    ... ]
    >>> [(loss["device"], loss["original"], loss["why"]) for loss in lost_contents(log + over)]
    [('c', 'c@2', 'loaded over')]
    >>> half = dict(at=6, device="b", event="loaded", state="STOP", digest="half", empty=False)
    >>> unknown = log[:6] + [half, dict(log[8], digest="half")]
    >>> [run["originals"] for run in double_runs(unknown)]
    [('a@1', 'unknown:half')]
"""

import json
import sys

DIGESTS = {"opened", "acts", "stops", "loaded", "lost"}
EVENTS = DIGESTS | {"host_started", "arc_begun", "arc_done", "arc_failed", "error", "reset", "closed"}


class BrokenEvidence(ValueError):
    """The log is not what ferry-simd writes, so it proves nothing."""


def read(path):
    """The events of a log, by time; those of one moment stay as they were written.

    A last line without its end is one that was being written when the host was killed, and is left
    out. Anything else that is no event raises BrokenEvidence.
    """
    with open(path, "rb") as file:
        *lines, _ = file.read().split(b"\n")
    events = []
    for number, line in enumerate(lines, 1):
        try:
            event = json.loads(line)
            if event["event"] not in EVENTS or not isinstance(event["at"], int):
                raise KeyError("event")
            if event["event"] != "host_started" and not isinstance(event["device"], str):
                raise KeyError("device")
            if event["event"] in DIGESTS:
                event["digest"], event["empty"]
        except (ValueError, KeyError, TypeError) as error:
            raise BrokenEvidence(f"{path}:{number}: {error}") from error
        events.append(event)
    return sorted(events, key=lambda event: event["at"])


class _Replay:
    """What every device held and did, event by event."""

    def __init__(self, copies):
        self.copies = set(copies)
        self.known = {}    # digest -> the original that last stopped with it; None: of nothing
        self.holding = {}  # device -> the original it holds; missing: nothing
        self.acting = {}   # device -> (the original it acts with, since when)
        self.intervals = []
        self.losses = []
        self.serial = 0

    def play(self, event):
        name, device, at = event["event"], event.get("device"), event["at"]
        if event.get("empty"):
            self.known.setdefault(event["digest"], None)
        if name == "host_started":
            for each in list(self.acting):
                self._end(each, at)
            for each in list(self.holding):
                self._lose(each, at, "host_started", None)
        elif name == "opened":
            self._put(device, None)
            if event["untouched"] and not event["empty"]:
                self._put(device, f"{device}@{self._number()}")
        elif name == "loaded":
            descent = self._descent(event["digest"])
            if self.holding.get(device) not in (None, descent):
                self._lose(device, at, "loaded over", None)
            self._put(device, descent)
        elif name == "acts":
            self.acting[device] = (self.holding.get(device), at)
        elif name == "stops":
            if device not in self.acting:
                raise BrokenEvidence(f"{device} stops at {at} and did not act")
            self._end(device, at)
            if event["digest"] not in self.copies:
                self.known[event["digest"]] = self.holding.get(device)
        elif name == "lost":
            self._lose(device, at, event["why"], event["digest"])

    def finish(self):
        for device in list(self.acting):
            self._end(device, None)

    def _number(self):
        self.serial += 1
        return self.serial

    def _descent(self, digest):
        if digest in self.copies:
            return f"copy:{digest}#{self._number()}"
        return self.known.get(digest, f"unknown:{digest}")

    def _put(self, device, original):
        self.holding.pop(device, None)
        if original is not None:
            self.holding[device] = original

    def _end(self, device, at):
        original, since = self.acting.pop(device)
        if original is not None:
            self.intervals.append((original, device, since, at))

    def _lose(self, device, at, why, digest):
        original = self.holding.pop(device, None)
        if original is None and digest is None:
            return
        self.losses.append(
            dict(at=at, device=device, original=original, why=why, digest=digest)
        )


def _replay(events, copies):
    replay = _Replay(copies)
    for event in events:
        replay.play(event)
    replay.finish()
    return replay


def _same(first, second):
    """Whether two contents may descend from one original."""
    return first == second or first.startswith("unknown:") or second.startswith("unknown:")


def double_runs(events, copies=()):
    """Every moment in which two devices could act with content of one descent; empty is the proof.

    `copies` are digests that somebody asked to have twice (a restore with accept_copy): each load
    of one is an original of its own.
    """
    found, open_ones = [], []
    for interval in sorted(_replay(events, copies).intervals, key=lambda interval: interval[2]):
        original, device, since, until = interval
        open_ones = [one for one in open_ones if one[3] is None or one[3] > since]
        for other_original, other, _, other_until in open_ones:
            if device == other or not _same(original, other_original):
                continue
            end = min((end for end in (until, other_until) if end is not None), default=None)
            if end is None or since < end:
                (one, a), (two, b) = sorted([(device, original), (other, other_original)])
                found.append({"devices": (one, two), "originals": (a, b), "from": since, "to": end})
        open_ones.append(interval)
    return sorted(found, key=lambda run: run["from"])


def lost_contents(events, copies=()):
    """The originals that no device holds any more at the end, each with how the last one lost it.

    An image of one may still be somewhere; the log knows of devices only.
    """
    replay = _replay(events, copies)
    held = set(replay.holding.values())
    last = {loss["original"]: loss for loss in replay.losses if loss["original"] is not None}
    return sorted(
        (loss for original, loss in last.items() if original not in held),
        key=lambda loss: loss["at"],
    )


def main(path):
    events = read(path)
    runs, losses = double_runs(events), lost_contents(events)
    for run in runs:
        print("double run:", json.dumps(run))
    for loss in losses:
        print("lost:", json.dumps(loss))
    print(f"{len(events)} events, {len(runs)} double runs, {len(losses)} contents lost")
    return 1 if runs else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
