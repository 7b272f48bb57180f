"""Bodies that lie, floods, slow clients, crowds and clients that go: the others are served on."""

import contextlib
import json
import select
import statistics
import threading
import time

from checks_http import HIDDEN, HOST, Case, answer_faults, still_serves
from harness import wait_until
from wire import Closed, Wire, problem_faults, request

CHUNKED = b"POST /v1/jobs HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
SIZED = b"POST /v1/jobs HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"

# Name, bytes. The end of each is a lie, so nothing behind it may be taken for a request.
BAD_CHUNKS = [
    ("a chunk's size of letters", CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n" + HIDDEN),
    ("a negative chunk's size", CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n" + HIDDEN),
    ("a chunk's size with a plus", CHUNKED + b"+2\r\n{}\r\n0\r\n\r\n" + HIDDEN),
    ("a chunk's size with 0x", CHUNKED + b"0x2\r\n{}\r\n0\r\n\r\n" + HIDDEN),
    ("a chunk's size behind a space", CHUNKED + b" 2\r\n{}\r\n0\r\n\r\n" + HIDDEN),
    ("an empty chunk's size", CHUNKED + b"\r\n{}\r\n0\r\n\r\n" + HIDDEN),
    ("a chunk's size of 2^64 + 2", CHUNKED + b"10000000000000002\r\n{}\r\n0\r\n\r\n" + HIDDEN),
    ("a chunk's size of 100 digits", CHUNKED + b"0" * 98 + b"zz\r\n{}\r\n0\r\n\r\n" + HIDDEN),
    ("a chunk that is longer than its size", CHUNKED + b"2\r\n{}xx\r\n0\r\n\r\n" + HIDDEN),
    ("a chunk that is shorter than its size", CHUNKED + b"5\r\n{}\r\n0\r\n\r\n" + HIDDEN),
    ("an extension of 100 KiB", CHUNKED + b"2;" + b"x" * (100 << 10) + b"\r\n{}\r\n0\r\n\r\n"),
    ("trailers of 100 KiB", CHUNKED + b"2\r\n{}\r\n0\r\nX: " + b"y" * (100 << 10) + b"\r\n\r\n"),
    ("a chunk of 2 GiB", CHUNKED + b"80000000\r\n" + b"x" * (2 << 20)),
    ("2 MiB in chunks of one byte", CHUNKED + b"1\r\nx\r\n" * (2 << 20)),
]

# How a client goes.
LEAVING = {"closing": lambda wire: wire.__exit__(), "resetting": Wire.reset,
           "half-closing first": lambda wire: (wire.half_close(), wire.__exit__())}

# What one crowd may cost the next good client: a generous ratio, and a floor for a quick machine.
CROWD = 2_000
RATIO = 50
FLOOR_S = 0.25


# ---- Bodies that lie

def bad_chunk(daemon, name, sent):
    """Refused; never a request of its own, never an accepted one."""
    # Chunks are libmicrohttpd's to read. One whose extension does not fit is a 500 to it.
    html = (400, 413, 431, 500) if "extension" in name else (400, 413, 431)
    case = Case(name, sent, (400, 413, 431), html=html)
    with Wire(daemon.port) as wire:
        wire.send(sent)
        try:
            yield from answer_faults(wire, wire.answer(), case)
        except Closed as closed:
            yield f"closed without an answer: {closed}"
    yield from still_serves(daemon)


def bare_line_feed(daemon):
    """A chunk's size that ends in LF alone is refused, or read as its sender meant it (RFC 9112, 2.2)."""
    with Wire(daemon.port) as wire:
        wire.send(CHUNKED + b"2\n{}\r\n0\r\n\r\n" + request("GET", "/healthz"))
        reply = wire.answer()
        yield from problem_faults(reply, {400, 422})
        if reply.status == 422 and wire.answer().status != 200:
            yield "the next request is not the next one"
    yield from still_serves(daemon)


def short_body(daemon):
    """A body that ends before its Content-Length is none, though what came would be one."""
    for leave in LEAVING.values():
        wire = Wire(daemon.port)
        part = b'{"kind":"save","devices":[{"source":"sim-0"}]}'
        wire.send(SIZED % (len(part) + 10, part))
        leave(wire)
    yield from still_serves(daemon)
    yield from nothing_made(daemon)


def long_body(daemon):
    """What follows a body is the next request, or refused as none."""
    with Wire(daemon.port) as wire:
        wire.send(SIZED % (2, b"{}" + b'{"more":1}\r\n\r\n'))
        yield from problem_faults(wire.answer(), {400, 422})
        try:
            reply = wire.answer()
            if reply.status != 400:
                yield f"what was too much is answered {reply!r}"
        except Closed:
            pass
    yield from still_serves(daemon)


def too_long_body(daemon):
    with Wire(daemon.port) as wire:
        wire.send(SIZED % (2 << 20, b"x" * (2 << 20)))
        yield from problem_faults(wire.answer(), {413}, {"payload-too-large"})
        if not wire.ends():
            yield "the connection goes on"
    with Wire(daemon.port) as wire:
        wire.send((SIZED % (2 << 20, b"")).replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
        yield from problem_faults(wire.answer(), {413}, {"payload-too-large"})
    yield from still_serves(daemon)


def body_of_get(daemon):
    """A body nobody asked for does not become the next request."""
    with Wire(daemon.port) as wire:
        wire.send(b"GET /v1/host HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN
                  + request("GET", "/healthz"))
        first = wire.answer()
        if first.status == 200:
            second = wire.answer()
            if second.status != 200 or b'"ok"' not in second.body:
                yield f"the body was taken for a request: {second!r}"
        else:
            yield from problem_faults(first, {400})
    yield from still_serves(daemon)


def nothing_made(daemon):
    jobs = daemon.get("/v1/jobs")["items"]
    if jobs:
        yield f"a job was made: {jobs[0]['id']}"


# ---- Floods

def pipelined(daemon, count=1_000):
    """Many requests in one write are answered one by one, in order."""
    with Wire(daemon.port) as wire:
        everything = b"".join(request("GET", f"/v1/devices/n-{n}") for n in range(count))
        writer = threading.Thread(target=wire.send, args=(everything,))
        writer.start()
        for n in range(count):
            reply = wire.answer()
            yield from problem_faults(reply, {404})
            if json.loads(reply.body).get("instance") != f"/v1/devices/n-{n}":
                yield f"answer {n} is for {json.loads(reply.body).get('instance')}"
                break
        writer.join()
    yield from still_serves(daemon)


def pipelined_bodies(daemon, count=1_000):
    """The same with bodies, and with answers that come from other threads."""
    with Wire(daemon.port) as wire:
        everything = b"".join(
            request("POST", f"/v1/jobs/n-{n}/cancel", b"{}") + request("GET", f"/v1/jobs/n-{n}")
            for n in range(count // 2))
        writer = threading.Thread(target=wire.send, args=(everything,))
        writer.start()
        for n in range(count // 2):
            for path in (f"/v1/jobs/n-{n}/cancel", f"/v1/jobs/n-{n}"):
                instance = json.loads(wire.answer().body).get("instance")
                if instance != path:
                    yield f"the answer of {path} is for {instance}"
                    return
        writer.join()
    yield from still_serves(daemon)


def unread_flood(daemon):
    """A client that asks and asks and reads nothing is stopped by TCP, and costs no memory."""
    before = daemon.memory_kib()
    with Wire(daemon.port, timeout=2) as wire:
        one = request("GET", "/v1/devices") * 1_000
        with contextlib.suppress(TimeoutError):
            for _ in range(100):
                if not wire.send(one):
                    break
        grown = daemon.memory_kib() - before
        if grown > 32 << 10:
            yield f"resident memory grew by {grown >> 10} MiB"
        yield from still_serves(daemon)
    yield from still_serves(daemon)


# ---- Slow clients

class Drip:
    """A client that sends a byte now and then and never gets to the end."""

    def __init__(self, daemon, start, drop, limit):
        self._wire = Wire(daemon.port, timeout=limit)
        # Without a drop it has half-closed, and waits for what comes of it.
        self._start, self._drop, self._limit = start, drop, limit
        self.lasted = None
        self.reply = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        began = time.monotonic()
        with self._wire as wire:
            wire.send(self._start)
            if not self._drop:
                wire.half_close()
            while time.monotonic() - began < self._limit:
                readable, _, _ = select.select([wire], [], [], 0.25)
                if readable or not wire.send(self._drop):
                    with contextlib.suppress(Closed, TimeoutError):
                        self.reply = wire.answer()
                    self.lasted = time.monotonic() - began
                    return

    def faults(self, within):
        self._thread.join(timeout=self._limit + 5)
        if self.lasted is None:
            yield f"still there after {self._limit} s"
        elif self.lasted > within:
            yield f"cut off after {self.lasted:.1f} s, wanted within {within} s"
        if self.reply is not None:
            yield from problem_faults(self.reply, {400, 408})


# ---- Crowds

def served(daemon, count=20):
    """The median of what a client waits that comes, asks once and goes."""
    times = []
    for _ in range(count):
        started = time.monotonic()
        with Wire(daemon.port) as wire:
            wire.send(request("GET", "/v1/devices"))
            reply = wire.answer()
        if reply.status != 200:
            raise AssertionError(f"a good client is answered {reply!r}")
        times.append(time.monotonic() - started)
    return statistics.median(times), max(times)


def crowd(daemon, report):
    """Half-open clients of three kinds, more than there are places."""
    alone, _ = served(daemon)
    with contextlib.ExitStack() as stack:
        for n in range(CROWD):
            wire = stack.enter_context(Wire(daemon.port))
            # Only there; half a head; half a body.
            wire.send((b"", b"GET /v1/host HTTP/1.1\r\nHost: loc", SIZED % (100, b"{"))[n % 3])
        median, worst = served(daemon)
        report.note(f"{alone * 1000:.1f} ms alone; with {CROWD} half-open clients {median * 1000:.1f} ms, "
                    f"at worst {worst * 1000:.1f} ms; RSS {daemon.memory_kib() >> 10} MiB, "
                    f"{daemon.descriptors()} descriptors")
        if median > max(alone * RATIO, FLOOR_S):
            yield f"a good client waits {median:.3f} s among them, {alone:.4f} s alone"
    yield from still_serves(daemon)


# ---- Clients that go

def blocked_job(daemon):
    """A job that waits at its gate, for others to wait for."""
    if "session" not in daemon.get("/v1/devices/sim-1"):
        daemon.call("POST", "/v1/sessions", {"device": "sim-1"}).require(201)
    return daemon.call("POST", "/v1/jobs", {
        "kind": "migrate", "devices": [{"source": "sim-0", "target": "sim-1"}],
        "discard_target_content": True, "switchover": {"mode": "manual"}}).require(202)


def gate(daemon, job):
    """The job once nothing changes any more until somebody opens its gate."""
    return wait_until(lambda: (seen := daemon.get(f"/v1/jobs/{job['id']}"))["switchover"]["ready"] and seen, 20)


def gone(daemon, path, before, how, count=200):
    """Clients that leave in the middle of a wait take their places with them."""
    for _ in range(count):
        wire = Wire(daemon.port)
        wire.send(request("GET", path))
        how(wire)
    if not wait_until(lambda: daemon.descriptors() <= before, 15):
        yield f"{daemon.descriptors()} descriptors, {before} before"
    yield from still_serves(daemon)


def waiting(daemon, report):
    job = blocked_job(daemon)
    try:
        job = gate(daemon, job)
        if not job:
            report.row("a job waits at its gate", ["it never came there"])
            return
        path = f"/v1/jobs/{job['id']}?after_generation={job['generation'] + 1000}&wait=60"
        places = {"a long poll": path}
        events = daemon.call("HEAD", "/v1/events")
        if events.status == 200:
            places["a stream of events"] = "/v1/events"
        for place, target in places.items():
            for name, how in LEAVING.items():
                # Counted when the last try's are gone, so that none can hide another's.
                before = daemon.descriptors()
                report.check(f"200 clients leave {place}, {name}", gone, daemon, target, before, how)
    finally:
        daemon.call("POST", f"/v1/jobs/{job['id']}/cancel", {})
        daemon.finish(job)


def run(report, daemon):
    # What the daemon opens at its first request, or a moment after it serves, is not the clients'.
    served(daemon)
    before = daemon.descriptors()
    head = Drip(daemon, b"GET /v1/host HTTP/1.1\r\n" + HOST + b"X: ", b"a", 30)
    line = Drip(daemon, b"GET /", b"a", 30)
    body = Drip(daemon, SIZED % (1 << 16, b"{"), b" ", 60)
    chunks = Drip(daemon, CHUNKED, b"1\r\nx\r\n", 60)
    half = Drip(daemon, SIZED % (100, b"{"), b"", 60)
    for name, sent in BAD_CHUNKS:
        report.check(f"a body that lies: {name}", bad_chunk, daemon, name, sent)
    report.check("a body that lies: bare LF behind a chunk's size", bare_line_feed, daemon)
    report.check("a body that lies: shorter than its Content-Length", short_body, daemon)
    report.check("a body that lies: longer than its Content-Length", long_body, daemon)
    report.check("a body of 2 MiB is refused, and before it is sent to who asks", too_long_body, daemon)
    report.check("a body that GET brings is no request", body_of_get, daemon)
    report.check("1,000 requests in one write are answered in order", pipelined, daemon)
    report.check("1,000 requests with bodies, too", pipelined_bodies, daemon)
    report.check("100,000 requests whose answers nobody reads", unread_flood, daemon)
    report.check("slowloris by the request line is cut off", line.faults, 15)
    report.check("slowloris by the head is cut off", head.faults, 15)
    report.check("slowloris by the body is cut off", body.faults, 40)
    report.check("slowloris by chunks is cut off", chunks.faults, 40)
    report.check("a client that half-closes in its body is let go", half.faults, 40)
    report.check(f"a good client is served among {CROWD} half-open ones", crowd, daemon, report)
    waiting(daemon, report)
    report.check("every descriptor is given back", descriptors, daemon, before)


def descriptors(daemon, before):
    # A client that goes in its body keeps its place to the end of the time it has for that.
    if not wait_until(lambda: daemon.descriptors() <= before, 40):
        yield f"{daemon.descriptors()} descriptors, {before} before"
