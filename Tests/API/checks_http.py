"""Heads and targets that no two readers agree on: each is refused in our own words."""

from dataclasses import dataclass

from wire import Closed, Wire, problem_faults, request

HOST = b"Host: localhost\r\n"
# Behind a request whose end is in doubt: it must never be taken for a request of its own.
HIDDEN = b"GET /v1/hidden HTTP/1.1\r\nHost: localhost\r\n\r\n"
LONG = 100 << 10


@dataclass
class Case:
    name: str
    sent: bytes
    statuses: tuple = (400,)
    codes: tuple = ()
    # Whether the connection must end with the answer, since where the next request starts is in doubt.
    closes: bool = True
    # Whether it may be met with silence, since it is not even a try at HTTP.
    silence: bool = False
    # Statuses that libmicrohttpd may answer by itself, in HTML, before it calls anybody
    # (docs/decisions/0023): then the status must be right and the connection end, and no more.
    html: tuple = ()


def get(*lines):
    return b"GET /v1/host HTTP/1.1\r\n" + b"".join(lines) + b"\r\n"


def post(*lines, body=b"{}"):
    return b"POST /v1/jobs HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n" + b"".join(
        line + b"\r\n" for line in lines) + b"\r\n" + body


FRAMING = [
    Case("Transfer-Encoding with Content-Length",
         post(b"Transfer-Encoding: chunked", b"Content-Length: 5", body=b"0\r\n\r\n" + HIDDEN)),
    Case("Content-Length with Transfer-Encoding",
         post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + HIDDEN)),
    Case("two equal Content-Lengths", post(b"Content-Length: 2", b"Content-Length: 2", body=b"{}" + HIDDEN)),
    Case("two different Content-Lengths", post(b"Content-Length: 2", b"Content-Length: 0", body=b"{}" + HIDDEN)),
    Case("a list as Content-Length", post(b"Content-Length: 2, 2", body=b"{}" + HIDDEN), html=(400,)),
    Case("a Content-Length with a sign", post(b"Content-Length: +2", body=b"{}" + HIDDEN), html=(400,)),
    Case("a negative Content-Length", post(b"Content-Length: -2", body=b"{}" + HIDDEN), html=(400,)),
    Case("a hexadecimal Content-Length", post(b"Content-Length: 0x2", body=b"{}" + HIDDEN), html=(400,)),
    Case("an empty Content-Length", post(b"Content-Length:", body=HIDDEN), html=(400,)),
    Case("a Content-Length of 2^64 + 2", post(b"Content-Length: 18446744073709551618", body=b"{}" + HIDDEN),
         (400, 413), html=(413,)),
    Case("a Content-Length of 40 digits", post(b"Content-Length: " + b"9" * 40, body=b"{}"), (400, 413),
         html=(413,)),
    Case("a Content-Length of 2^63", post(b"Content-Length: 9223372036854775808", body=b"{}"),
         (400, 413)),
    Case("the coding gzip", post(b"Transfer-Encoding: gzip", body=b"{}" + HIDDEN), (400, 501)),
    Case("the coding identity", post(b"Transfer-Encoding: identity", body=HIDDEN), (400, 501)),
    Case("chunked twice", post(b"Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n" + HIDDEN)),
    Case("chunked in two headers",
         post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + HIDDEN)),
    Case("gzip before chunked", post(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n" + HIDDEN), (400, 501)),
    Case("chunked before identity", post(b"Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n" + HIDDEN),
         (400, 501)),
    Case("a coding that begins like chunked", post(b"Transfer-Encoding: chunkedx", body=b"0\r\n\r\n" + HIDDEN),
         (400, 501)),
    Case("chunked behind a vertical tab", post(b"Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n" + HIDDEN)),
    Case("chunked of HTTP/1.0",
         post(b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + HIDDEN).replace(b"HTTP/1.1", b"HTTP/1.0", 1)),
    Case("an unknown expectation", post(b"Expect: tea", b"Content-Length: 2"), (417,), ("expectation-failed",)),
    Case("an expectation beside 100-continue", post(b"Expect: 100-continue, tea", b"Content-Length: 2"), (417,),
         ("expectation-failed",)),
]

NAMES = [
    Case("no Host", get()),
    Case("two Hosts", get(HOST, HOST)),
    Case("two different Hosts", get(HOST, b"Host: evil.example\r\n")),
    Case("an empty Host", get(b"Host:\r\n"), (400, 403)),
    *(Case(f"the foreign Host {name}", get(f"Host: {name}\r\n".encode()), (403,), ("forbidden",)) for name in (
        "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "localhost:x",
        "localhost:99999", "a@localhost", "127.0.0.2", "localhost/", "[::2]")),
    *(Case(f"the foreign Origin {name}", get(HOST, f"Origin: {name}\r\n".encode()), (403,), ("forbidden",))
      for name in ("http://evil.example", "null", "https://localhost", "http://localhost:1",
                   "http://localhost.evil.example", "file://")),
    Case("two Origins", get(HOST, b"Origin: http://localhost\r\n", b"Origin: http://localhost\r\n")),
]

BYTES = [
    Case("NUL in a header's value", get(HOST, b"X: a\0b\r\n")),
    Case("NUL in a header's name", get(HOST, b"X\0: a\r\n"), html=(400,)),
    Case("NUL at the end of a header", get(HOST, b"X: a\0\r\n")),
    Case("bare LF behind a header", get(HOST, b"X: a\n")),
    Case("bare LF behind the request line", b"GET /v1/host HTTP/1.1\n" + HOST + b"\r\n"),
    Case("bare LF as the empty line", b"GET /v1/host HTTP/1.1\r\n" + HOST + b"\n"),
    Case("bare CR within a header", get(HOST, b"X: a\rY: b\r\n")),
    Case("a space before the colon", get(HOST, b"X : a\r\n")),
    Case("a tab before the colon", get(HOST, b"X\t: a\r\n")),
    Case("a space before the first header", get(b" X: a\r\n", HOST)),
    Case("a folded header", get(HOST, b"X: a\r\n folded\r\n")),
    Case("a header folded by a tab", get(HOST, b"X: a\r\n\tfolded\r\n")),
    Case("a folded Content-Length",
         post(b"Content-Length:\r\n 2", body=b"{}" + HIDDEN)),
    Case("a header without a colon", get(HOST, b"nothing\r\n"), html=(400,)),
    Case("a header without a name", get(HOST, b": a\r\n")),
    Case("a header's name in brackets", get(HOST, b"X(): a\r\n")),
    Case("a control byte in a header", get(HOST, b"X: a\x01\r\n")),
    Case("DEL in a header", get(HOST, b"X: a\x7f\r\n")),
    Case("a header that is not UTF-8", get(HOST, b"X: \xff\xfe\r\n")),
    Case("two spaces behind the method", b"GET  /v1/host HTTP/1.1\r\n" + HOST + b"\r\n"),
    Case("two spaces before the version", b"GET /v1/host  HTTP/1.1\r\n" + HOST + b"\r\n"),
    Case("a space in the target", b"GET /v1/ho st HTTP/1.1\r\n" + HOST + b"\r\n"),
    Case("a tab in the target", b"GET /v1/ho\tst HTTP/1.1\r\n" + HOST + b"\r\n"),
    Case("NUL in the target", b"GET /v1/ho\0st HTTP/1.1\r\n" + HOST + b"\r\n"),
    Case("a target that is not ASCII", b"GET /v1/h\xc3\xb6st HTTP/1.1\r\n" + HOST + b"\r\n"),
    Case("a fragment in the target", b"GET /v1/host#x HTTP/1.1\r\n" + HOST + b"\r\n", (400, 404), closes=False),
    Case("a target without a slash", b"GET v1/host HTTP/1.1\r\n" + HOST + b"\r\n"),
    Case("a target with scheme and host", b"GET http://localhost/v1/host HTTP/1.1\r\n" + HOST + b"\r\n"),
    Case("the target *", b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n"),
    Case("NUL in the method", b"G\0T /v1/host HTTP/1.1\r\n" + HOST + b"\r\n"),
    Case("brackets in the method", b"G(T /v1/host HTTP/1.1\r\n" + HOST + b"\r\n"),
    Case("a space behind the version", b"GET /v1/host HTTP/1.1 \r\n" + HOST + b"\r\n", html=(400,)),
    Case("HTTP/2.0", b"GET /v1/host HTTP/2.0\r\n" + HOST + b"\r\n", (400, 505), html=(505,)),
    Case("HTTP/1.1 in lower case", b"GET /v1/host http/1.1\r\n" + HOST + b"\r\n", html=(400,)),
    Case("no version", b"GET /v1/host\r\n" + HOST + b"\r\n", html=(400,)),
    Case("the greeting of TLS", bytes.fromhex("16030100c8010000c40303") + b"\x11" * 190 + b"\r\n\r\n",
         silence=True),
    Case("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400, 505), html=(505,)),
]

BIG = ("headers-too-large",)
LENGTHS = [
    # As much as fits where it is read, and more than is taken.
    Case("a head of 20 KiB", get(HOST, b"X: " + b"y" * (20 << 10) + b"\r\n"), (431,), BIG),
    Case("a head of 40 KiB", get(HOST, b"X: " + b"y" * (40 << 10) + b"\r\n"), (431,), BIG, html=(431,)),
    Case("100 KiB in one header", get(HOST, b"X: " + b"y" * LONG + b"\r\n"), (431,), BIG, html=(431,)),
    Case("100 KiB in 1,000 headers", get(HOST, *(b"X-%d: %s\r\n" % (n, b"y" * 92) for n in range(1000))), (431,),
         BIG, html=(431,)),
    Case("a header's name of 100 KiB", get(HOST, b"X" * LONG + b": y\r\n"), (431,), BIG, html=(431,)),
    Case("a request line of 100 KiB", b"GET /" + b"a" * LONG + b" HTTP/1.1\r\n" + HOST + b"\r\n", (431,), BIG,
         html=(414, 431)),
    Case("a query of 100 KiB", b"GET /v1/jobs?cursor=" + b"a" * LONG + b" HTTP/1.1\r\n" + HOST + b"\r\n", (431,),
         BIG, html=(414, 431)),
    Case("a method of 100 KiB", b"A" * LONG + b" / HTTP/1.1\r\n" + HOST + b"\r\n", (400, 431),
         html=(414, 431)),
    Case("a request line of 100 KiB that never ends", b"GET /" + b"a" * LONG, (431,), BIG, html=(414, 431)),
]


def target(name, path, statuses, codes=(), method="GET"):
    return Case(name, request(method, path), statuses, codes, closes=False)


TARGETS = [
    target("%00 in a name", "/v1/devices/a%00b", (400,), ("bad-request",)),
    target("%2F in a name", "/v1/devices/a%2Fb", (400,), ("bad-request",)),
    target("%2f in a name", "/v1/devices/..%2f..%2fetc%2fpasswd", (400,), ("bad-request",)),
    target("a lone %", "/v1/devices/%", (400,), ("bad-request",)),
    target("half an encoding", "/v1/devices/a%4", (400,), ("bad-request",)),
    target("an encoding of no digits", "/v1/devices/%zz", (400,), ("bad-request",)),
    target("%ff, which is not UTF-8", "/v1/devices/%ff", (400,), ("bad-request",)),
    target("an overlong slash", "/v1/devices/%c0%af", (400,), ("bad-request",)),
    target("an encoded surrogate", "/v1/devices/%ed%a0%80", (400,), ("bad-request",)),
    target("a name that is encoded twice", "/v1/devices/a%253Ab", (400, 404)),
    target("%00 that is encoded twice", "/v1/devices/a%2500b", (400, 404)),
    target("%2F that is encoded twice", "/v1/devices/a%252Fb", (400, 404)),
    target("a way up", "/v1/../v1/host", (400, 404)),
    target("an encoded way up", "/v1/%2e%2e/v1/host", (400, 404)),
    target("a doubled slash", "//v1/host", (400, 404)),
    target("a slash behind", "/v1/devices/", (400, 404)),
    target("a parameter behind a semicolon", "/v1/host;x=y", (404,), ("not-found",)),
    target("another case", "/V1/Host", (404,), ("not-found",)),
    target("a name of 129 letters", "/v1/jobs/" + "a" * 129, (400, 404)),
    target("a name of 16,000 letters", "/v1/jobs/" + "a" * 16_000, (400, 404)),
    target("a path of 8,000 segments", "/v1" + "/a" * 8_000, (404,), ("not-found",)),
    target("a control byte in a name", "/v1/jobs/a%0d%0aX:%20y", (400, 404)),
    target("a template in a name", "/v1/jobs/{id}", (400, 404)),
    target("a parameter nobody knows", "/v1/devices?x=1", (400,), ("bad-request",)),
    target("a parameter that is there twice", "/v1/devices?limit=1&limit=2", (400,), ("bad-request",)),
    target("a parameter without a value", "/v1/devices?limit", (400,), ("bad-request",)),
    target("a limit of 0", "/v1/devices?limit=0", (400,), ("bad-request",)),
    target("a limit below 0", "/v1/devices?limit=-1", (400,), ("bad-request",)),
    target("a limit of 1001", "/v1/devices?limit=1001", (400,), ("bad-request",)),
    target("a limit of 2^64 + 1", "/v1/devices?limit=18446744073709551617", (400,), ("bad-request",)),
    target("a limit with a sign", "/v1/devices?limit=%2B5", (400,), ("bad-request",)),
    target("a limit in other digits", "/v1/devices?limit=%D9%A5", (400,), ("bad-request",)),
    target("a limit with a fraction", "/v1/devices?limit=1.0", (400,), ("bad-request",)),
    target("%00 in a parameter", "/v1/devices?limit=5%00", (400,), ("bad-request",)),
    target("a cursor of somebody else's", "/v1/devices?cursor=nothing", (400,), ("bad-request",)),
    target("a wait of 61 s", "/v1/jobs/none?after_generation=1&wait=61", (400, 404)),
    target("a wait without a generation", "/v1/jobs/none?wait=1", (400, 404)),
    target("TRACE", "/v1/host", (405, 501), method="TRACE"),
    target("PATCH", "/v1/host", (405, 501), method="PATCH"),
    target("a method nobody knows", "/v1/host", (405, 501), method="BREW"),
    target("a method in lower case", "/v1/host", (405, 501), method="get"),
    target("POST where there is none", "/v1/host", (405,), ("method-not-allowed",), method="POST"),
]


def faults(daemon, case):
    with Wire(daemon.port) as wire:
        wire.send(case.sent)
        try:
            reply = wire.answer()
        except Closed as closed:
            if not case.silence:
                yield f"closed without an answer: {closed}"
        except TimeoutError:
            yield "no answer"
        else:
            yield from answer_faults(wire, reply, case)
    yield from still_serves(daemon)


# The answers of libmicrohttpd's own, for the report.
library_answers = []


def answer_faults(wire, reply, case):
    if reply.status in case.html and b"<html>" in reply.body:
        library_answers.append(case.name)
        # With a wrong Content-Length it sends its head twice, and counts the second to the body.
        if not wire.is_over():
            yield "the connection goes on behind an answer of libmicrohttpd's"
        return
    yield from problem_faults(reply, set(case.statuses), set(case.codes))
    if case.closes and not wire.ends():
        yield f"the connection goes on: {wire.rest[:200]!r}"


def still_serves(daemon):
    if not daemon.is_alive:
        yield "ferryd is gone"
        return
    with Wire(daemon.port) as wire:
        wire.send(request("GET", "/healthz"))
        try:
            reply = wire.answer()
        except (Closed, TimeoutError) as why:
            yield f"the next client is not served: {why!r}"
            return
        if reply.status != 200:
            yield f"the next client is answered {reply!r}"


def run(report, daemon):
    for title, cases in (("the end of a request in doubt", FRAMING), ("names", NAMES), ("bytes", BYTES),
                         ("lengths", LENGTHS), ("targets", TARGETS)):
        for case in cases:
            report.check(f"{title}: {case.name}", faults, daemon, case)
