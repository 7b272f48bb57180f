"""The contract as ferryd serves it: valid OpenAPI 3.1, whatever reads it."""

import json

from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from checks_fuzz import operations


def valid(contract):
    for error in OpenAPIV31SpecValidator(contract).iter_errors():
        yield f"{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}"


def resolved(contract, node):
    while isinstance(node, dict) and "$ref" in node:
        target = contract
        for part in node["$ref"].split("/")[1:]:
            target = target[part.replace("~1", "/").replace("~0", "~")]
        node = target
    return node


def media(contract, node):
    """Every description of a document below, with the way to it."""
    seen = set()

    def walk(node, path):
        if isinstance(node, dict):
            if "schema" in node and ({"example", "examples"} & set(node)) and id(node) not in seen:
                seen.add(id(node))
                yield path, node
            for key, value in node.items():
                yield from walk(value, f"{path}/{key}")

    yield from walk(contract["paths"], "")
    yield from walk(contract["components"], "components")


def examples(contract):
    """Every example fits the schema it stands beside."""
    count = 0
    for path, node in media(contract, contract):
        schema = {**node["schema"], "components": contract["components"]}
        validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
        documents = [node["example"]] if "example" in node else []
        documents += [resolved(contract, e)["value"] for e in node.get("examples", {}).values()]
        for document in documents:
            count += 1
            for error in validator.iter_errors(document):
                yield f"{path}: {error.json_path}: {error.message[:200]}"
    if count < 50:
        yield f"only {count} examples were found"


def described(contract):
    """Nothing is left to guess: summaries, descriptions, an example where something is sent."""
    for label, operation in operations(contract).items():
        if not operation.get("summary"):
            yield f"{label} has no summary"
        for status, response in operation["responses"].items():
            response = resolved(contract, response)
            if not response.get("description"):
                yield f"{label} {status} has no description"
            for kind, content in response.get("content", {}).items():
                if is_bare(content):
                    yield f"{label} {status} {kind} has no example"
        body = resolved(contract, operation.get("requestBody", {}))
        for kind, content in body.get("content", {}).items():
            if is_bare(content):
                yield f"the body {kind} of {label} has no example"
        for parameter in operation.get("parameters", []):
            if not resolved(contract, parameter).get("description"):
                yield f"a parameter of {label} has no description: {parameter}"


def is_bare(content):
    """Whether an example is missing; nobody writes one of a binary body."""
    schema = content.get("schema", {"format": "binary"})
    return schema.get("format") != "binary" and not {"example", "examples"} & set(content)


def closed(contract):
    """What a client sends is told to the last field; what it gets may grow."""
    for name, schema in contract["components"]["schemas"].items():
        if "Request" in name and schema.get("type") == "object" and schema.get("additionalProperties") is not False:
            yield f"{name} takes fields that it does not tell"


def run(report, start):
    answer = start().call("GET", "/openapi.json")
    contract = json.loads(answer.body)
    report.row(f"the contract is served: {len(answer.body)} bytes, {len(operations(contract))} operations",
               [] if answer.status == 200 and contract["openapi"].startswith("3.1") else [answer.body[:200]])
    report.check("it is valid OpenAPI 3.1", valid, contract)
    report.check("every example fits its schema", examples, contract)
    report.check("everything is described, and all that is sent has an example", described, contract)
    report.check("requests are closed", closed, contract)
