"""Bodies that are no JSON, or none that Ferry takes; each is refused with its place."""

import json

from checks_http import still_serves
from wire import Closed, Wire, problem_faults, request

SAVE = '{"kind":"save","devices":[{"source":"sim-0"}],%s}'


def number(text):
    return (SAVE % f'"limits":{{"downtime_ms":{text}}}').encode()


def label(text):
    """A body with `text`, which is bytes, within a string."""
    return b'{"kind":"save","devices":[{"source":"none"}],"labels":{"a":"' + text + b'"}}'


NO_JSON = [
    ("nothing", b" "),
    ("33 levels of arrays", b"[" * 33 + b"]" * 33),
    ("33 levels of objects", b'{"a":' * 33 + b"1" + b"}" * 33),
    ("33 levels within a request",
     b'{"kind":"save","devices":[{"source":"sim-0"}],"labels":' + b'{"a":' * 32 + b"1" + b"}" * 32 + b"}"),
    ("10,000 levels of arrays", b"[" * 10_000 + b"]" * 10_000),
    ("10,000 levels of objects", b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
    ("500,000 open brackets", b"[" * 500_000),
    ("a key that is there twice", b'{"kind":"save","kind":"save","devices":[{"source":"sim-0"}]}'),
    ("a key that is there twice, once escaped", b'{"kind":"save","\\u006bind":"save","devices":[]}'),
    ("a deep key that is there twice", b'{"kind":"save","devices":[{"source":"sim-0","source":"sim-1"}]}'),
    ("a byte that is not UTF-8", label(b"\xff")),
    ("a start of UTF-8 without its end", label(b"\xc3")),
    ("an overlong letter", label(b"\xc1\x81")),
    ("an overlong NUL", label(b"\xc0\x80")),
    ("a surrogate in UTF-8", label(b"\xed\xa0\x80")),
    ("a letter behind the last", label(b"\xf4\x90\x80\x80")),
    ("a lone high surrogate", label(b"\\ud800")),
    ("a lone low surrogate", label(b"\\udc00")),
    ("surrogates the wrong way round", label(b"\\udc00\\ud800")),
    ("an escape of three digits", label(b"\\u12")),
    ("an escape nobody knows", label(b"\\x41")),
    ("a NUL byte", label(b"a\0b")),
    ("a line feed in a string", label(b"a\nb")),
    ("NaN", number("NaN")),
    ("Infinity", number("-Infinity")),
    ("a hexadecimal number", number("0x10")),
    ("a number with a leading zero", number("010")),
    ("a number with a plus", number("+1")),
    ("a number that ends in its point", number("1.")),
    ("a number that starts with its point", number(".5")),
    ("an exponent without digits", number("1e")),
    ("a lone minus", number("-")),
    ("True", (SAVE % '"no_p2p_mappings":True').encode()),
    ("single quotes", b"{'kind':'save'}"),
    ("a comma behind the last", b'{"kind":"save",}'),
    ("a comment", b'{"kind":"save"/* x */}'),
    ("a key without quotes", b'{kind:"save"}'),
    ("half a document", b'{"kind":"save","devices":[{"sou'),
    ("two documents", b'{"kind":"save"}{"kind":"save"}'),
    ("a document and a brace", b'{"kind":"save"}}'),
    ("a byte order mark", b'\xef\xbb\xbf{"kind":"save"}'),
    ("UTF-16", '{"kind":"save"}'.encode("utf-16")),
    ("a NUL behind the document", b'{"kind":"save","devices":[{"source":"none"}]}\0'),
]

# JSON, but not what is asked for; with the pointers of which one must be told.
NO_REQUEST = [
    ("an array", b"[]", (400, 422), ("",)),
    ("a string", b'"save"', (400, 422), ("",)),
    ("null", b"null", (400, 422), ("",)),
    ("a number", b"1", (400, 422), ("",)),
    ("nothing in an object", b"{}", (400, 422), ("", "/kind", "/devices")),
    ("a kind nobody knows", b'{"kind":"move","devices":[{"source":"sim-0"}]}', (422,), ("/kind",)),
    ("a kind that is null", b'{"kind":null,"devices":[{"source":"sim-0"}]}', (400, 422), ("/kind",)),
    ("a kind that is a list", b'{"kind":["save"],"devices":[{"source":"sim-0"}]}', (400, 422), ("/kind",)),
    ("a field nobody knows", (SAVE % '"forse":true').encode(), (400,), ("/forse",)),
    ("a deep field nobody knows", b'{"kind":"save","devices":[{"sorce":"sim-0"}]}', (400,), ("/devices/0/sorce",)),
    ("a field whose name needs escapes", (SAVE % '"a/b~c":1').encode(), (400,), ("/a~1b~0c",)),
    ("no devices", b'{"kind":"save","devices":[]}', (422,), ("/devices",)),
    ("devices that are an object", b'{"kind":"save","devices":{}}', (400, 422), ("/devices",)),
    ("a device that is a string", b'{"kind":"save","devices":["sim-0"]}', (400, 422), ("/devices/0",)),
    ("a device twice", b'{"kind":"save","devices":[{"source":"sim-0"},{"source":"sim-0"}]}', (422,), None),
    ("65 devices", json.dumps({"kind": "save", "devices": [{"source": f"d-{n}"} for n in range(65)]}).encode(),
     (422,), ("/devices",)),
    ("a device nobody knows", b'{"kind":"save","devices":[{"source":"none"}]}', (422,), ("/devices/0/source",)),
    ("a name with a slash", b'{"kind":"save","devices":[{"source":"a/b"}]}', (422,), ("/devices/0/source",)),
    ("a name of 129 letters", json.dumps({"kind": "save", "devices": [{"source": "a" * 129}]}).encode(), (422,),
     ("/devices/0/source",)),
    ("an empty id", (SAVE % '"id":""').encode(), (422,), ("/id",)),
    ("an id that leads up", (SAVE % '"id":"../x"').encode(), (422,), ("/id",)),
    ("65 labels", (SAVE % f'"labels":{json.dumps({str(n): "" for n in range(65)})}').encode(), (422,), ("/labels",)),
    ("a label of 257 letters", (SAVE % f'"labels":{json.dumps({"a": "x" * 257})}').encode(), (422,), ("/labels", "/labels/a")),
    ("a label that is a number", (SAVE % '"labels":{"a":1}').encode(), (400, 422), ("/labels/a",)),
    ("a downtime of -0", number("-0"), (400, 422), ("/limits/downtime_ms",)),
    ("a downtime of 0", number("0"), (422,), ("/limits/downtime_ms",)),
    ("a downtime of -1", number("-1"), (422,), ("/limits/downtime_ms",)),
    ("a downtime of 1.5", number("1.5"), (400, 422), ("/limits/downtime_ms",)),
    ("a downtime that is text", number('"1"'), (400, 422), ("/limits/downtime_ms",)),
    ("a downtime that is true", number("true"), (400, 422), ("/limits/downtime_ms",)),
    ("a downtime of 2^62", number(str(1 << 62)), (422,), ("/limits/downtime_ms",)),
    ("a NUL by its escape", label(b"a\\u0000b"), (400, 422), ("/labels/a",)),
    ("a NUL in a key", b'{"kind":"save","devices":[{"source":"none"}],"labels":{"a\\u0000":"b"}}', (400, 422), None),
    *((f"a downtime of {name}", number(text), (400, 422), ("/limits/downtime_ms",)) for name, text in (
        ("1e400", "1e400"), ("-1e400", "-1e400"), ("40 digits", "9" * 40), ("100,000 digits", "9" * 100_000),
        ("2^63", "9223372036854775808"), ("-2^63 - 1", "-9223372036854775809"))),
    ("a field of another kind", b'{"kind":"reset","devices":[{"source":"sim-0"}],"after":"stop"}', (422,),
     ("/after",)),
    ("a truth that is 1", (SAVE % '"no_p2p_mappings":1').encode(), (400, 422), ("/no_p2p_mappings",)),
]

TYPES = [None, "text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
         "application/json; charset=utf-16", "application/jsonx", "text/json", "application/problem+json", ";", ""]


def answer(daemon, body, media="application/json"):
    with Wire(daemon.port) as wire:
        head = ["POST /v1/jobs HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
        head += [] if media is None else [f"Content-Type: {media}"]
        wire.send("\r\n".join(head).encode() + b"\r\n\r\n" + body)
        return wire.answer()


def no_json(daemon, body):
    yield from problem_faults(answer(daemon, body), {400}, {"bad-request"})
    yield from still_serves(daemon)


def no_request(daemon, body, statuses, pointers):
    reply = answer(daemon, body)
    yield from problem_faults(reply, set(statuses), {"bad-request", "invalid-field", "unknown-field"})
    pointer = json.loads(reply.body).get("pointer")
    if pointers is not None and pointer not in pointers:
        yield f"the pointer is {pointer!r}, wanted one of {pointers}: {reply!r}"
    yield from still_serves(daemon)


def wrong_type(daemon, media):
    yield from problem_faults(answer(daemon, b"{}", media), {415}, {"unsupported-media-type"})
    yield from still_serves(daemon)


def empty_actions(daemon):
    """What takes nothing, or the empty object, takes nothing else."""
    for body, statuses in ((b"", {404}), (b"{}", {404}), (b'{"a":1}', {400, 404}), (b"[]", {400, 404, 422})):
        with Wire(daemon.port) as wire:
            wire.send(request("POST", "/v1/jobs/none/cancel", body))
            for fault in problem_faults(wire.answer(), statuses):
                yield f"{body!r}: {fault}"


def nothing_came_of_it(daemon):
    jobs = daemon.get("/v1/jobs")["items"]
    if jobs:
        yield f"{len(jobs)} jobs were made, such as {jobs[0]}"


def run(report, daemon):
    for name, body in NO_JSON:
        report.check(f"no JSON: {name}", no_json, daemon, body)
    for name, body, statuses, pointers in NO_REQUEST:
        report.check(f"no request: {name}", no_request, daemon, body, statuses, pointers)
    for media in TYPES:
        report.check(f"a body of the type {media!r}", wrong_type, daemon, media)
    report.check("an action's body is nothing or the empty object", empty_actions, daemon)
    report.check("none of these bodies made a job", nothing_came_of_it, daemon)
