"""What Schemathesis is told beside the contract; it loads this module itself."""

import atexit
import collections
import itertools
import json
import os
import re

import schemathesis
from schemathesis.core.failures import Failure
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import response_schema_conformance

# What every request may meet, whatever its operation tells: see "Errors of every request".
ANYWHERE = {405, 413, 417, 431, 503}

# Parameters whose text has a grammar that a schema cannot tell, so that a well-formed one may be a 400.
OPAQUE = {"cursor", "filter", "sort", "fields"}
TAGS = re.compile(r'\*|(W/)?"[!#-~]*"(, ?(W/)?"[!#-~]*")*')
# A body that fits its schema may still name what is not there or cannot be done, and a tag be another's.
UNTRUE = {404, 409, 412, 416, 422}

_discards = itertools.count(1)
_answers = collections.defaultdict(collections.Counter)


@atexit.register
def _write_answers():
    """How often each operation was answered with each status, for who started this."""
    with open(os.environ["FERRY_FUZZ_ANSWERS"], "w") as file:
        json.dump(_answers, file)


@schemathesis.hook
def before_call(_context, case, _kwargs):
    """A long poll is made short, and content mostly kept: without any, little can be asked of a device."""
    query = case.query or {}
    for name, value in query.items():
        # Too long all the same, and not for libmicrohttpd, which would answer by itself.
        if isinstance(value, str) and len(value) > 1_000:
            query[name] = value[:1_000]
    if str(query.get("wait")).isdecimal() and 1 < int(query["wait"]) <= 60:
        query["wait"] = 1
    if query.get("discard_content") in (True, "true") and next(_discards) % 5:
        query["discard_content"] = "false"


@schemathesis.hook
def after_call(_context, case, response):
    _answers[case.operation.definition.raw["operationId"]][response.status_code] += 1

# What ferryd takes of a request line and headers.
HEAD_BYTES = 16 << 10


@schemathesis.check
def told_status(_context, response, case):
    """`default` stands for what nobody foresees; what a client can cause is told by its number."""
    told = case.operation.definition.raw["responses"]
    if str(response.status_code) not in told and response.status_code not in ANYWHERE:
        raise Failure(operation=case.operation.label, title="A status that the operation does not tell",
                      message=f"{response.status_code}: {response.content[:300]!r}")


@schemathesis.check
def told_schema(context, response, case):
    """An answer is what its schema says; with `fields` less of it, which no schema can tell."""
    if "fields" in (case.query or {}) and response.status_code == 200:
        return None
    return response_schema_conformance(context, response, case)


@schemathesis.check
def good_request(_context, response, case):
    """A request as the contract wants it is taken, or refused for what it says and never for its form."""
    if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
        return
    query = set(case.query or {})
    # No schema can tell that one parameter needs another.
    is_lone = "wait" in query and "after_generation" not in query
    # Nor that a header fits the body.
    headers = case.headers or {}
    is_part = "Content-Range" in headers
    # Some that Schemathesis takes for entity tags are none.
    is_untagged = any(name in headers and not TAGS.fullmatch(str(headers[name]))
                      for name in ("If-Match", "If-None-Match"))
    may_be_400 = response.status_code == 400 and (OPAQUE & query or is_lone or is_part or is_untagged)
    # Nor how long the head is, when text that is short by the schema is long by its escapes.
    sent = response.request
    head = len(sent.url) + sum(len(name) + len(value) + 4 for name, value in sent.headers.items())
    may_be_431 = response.status_code == 431 and head > HEAD_BYTES
    if not (response.status_code < 400 or response.status_code in UNTRUE or may_be_400 or may_be_431):
        raise Failure(operation=case.operation.label, title="A good request that is refused",
                      message=f"{response.status_code}: {response.content[:300]!r}")


@schemathesis.check
def told_problem(_context, response, case):
    """An error is a problem document: a code of the contract's, with that code's status and title."""
    if response.status_code < 400 or case.method.upper() == "HEAD":
        return
    told = case.operation.definition.raw["responses"].get(str(response.status_code), {})
    if "application/json" in told.get("content", {}):
        return
    codes = case.operation.schema.raw_schema["components"]["schemas"]["ProblemCode"]["x-problems"]
    try:
        problem = json.loads(response.content)
        code = codes[problem["code"]]
        good = (response.headers["content-type"] == ["application/problem+json"]
                and problem["status"] == response.status_code == code["status"] and problem["title"] == code["title"]
                and problem["type"] == f"urn:ferry:problem:{problem['code']}" and problem["detail"])
    except (ValueError, KeyError, TypeError):
        good = False
    if not good:
        raise Failure(operation=case.operation.label, title="An error that is no problem of the contract",
                      message=f"{response.status_code} {response.headers.get('content-type')}: "
                              f"{response.content[:300]!r}")
