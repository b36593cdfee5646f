"""The OpenAPI document: what clients may rely on, and what would break them.

Run as ``python -m delineate.api.contract docs/openapi.json`` to write the calls below ``/v1`` to a
file. It refuses what would break a client that knows the file, unless the major `VERSION` grows.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from delineate.api.faults import Problem

__all__ = ["VERSION", "breaks", "document", "own", "text"]

VERSION = "1.0"
"""Of the calls: the first number grows with what breaks clients, the second with what is new."""

_OPERATIONS = ("/healthz", "/readyz", "/metrics")
_PROBLEM = "#/components/schemas/Problem"

Json = Mapping[str, Any]


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of an application, with each schema once."""
    if app.openapi_schema is None:
        found = get_openapi(
            title=app.title,
            version=VERSION,
            description=app.description,
            routes=app.routes,
        )
        problem = Problem.model_json_schema()
        found.setdefault("components", {}).setdefault("schemas", {})["Problem"] = problem
        for call in _calls(found).values():
            for answer in call["responses"].values():
                for content in answer.get("content", {}).values():
                    if content.get("schema") == problem:
                        content["schema"] = {"$ref": _PROBLEM}
        app.openapi_schema = found
    return app.openapi_schema


def own(whole: Json) -> dict[str, Any]:
    """The part of it that is delineate's own, and not defined by a standard or another program."""
    paths = {
        path: calls
        for path, calls in whole["paths"].items()
        if path.startswith("/v1/") or path in _OPERATIONS
    }
    schemas = whole["components"]["schemas"]
    used: set[str] = set()
    fresh = set(_references(paths))
    while fresh:
        used |= fresh
        fresh = {one for name in fresh for one in _references(schemas[name])} - used
    components = {**whole["components"], "schemas": {name: schemas[name] for name in sorted(used)}}
    return {**whole, "paths": paths, "components": components}


def text(part: Json) -> str:
    """As the file holds it."""
    return json.dumps(part, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def breaks(old: Json, new: Json) -> list[str]:
    """What of a new document would break a client that knows the old one.

    A call that is gone, an answer of success that is gone, a field that answers lack or may lack
    now; something more that must be sent, and a value that is no longer taken.
    """
    found = []
    there = _calls(new)
    for name, call in _calls(old).items():
        if name not in there:
            found.append(f"{name} is gone")
            continue
        found += [f"{name}: {what}" for what in _broken_call(old, call, new, there[name])]
    return found


def _calls(whole: Json) -> dict[str, Any]:
    return {
        f"{method.upper()} {path}": call
        for path, calls in whole["paths"].items()
        for method, call in calls.items()
    }


def _broken_call(old: Json, before: Json, new: Json, after: Json) -> Iterator[str]:
    asked = {(one["in"], one["name"]): one for one in before.get("parameters", ())}
    asks = {(one["in"], one["name"]): one for one in after.get("parameters", ())}
    for key, one in asks.items():
        if one.get("required") and not asked.get(key, {}).get("required"):
            yield f"{key[1]} must be given"
    for key, one in asked.items():
        if key not in asks:
            yield f"{key[1]} is not taken any more"
        else:
            yield from _narrower(old, one["schema"], new, asks[key]["schema"], key[1])
    body, bodies = (one.get("requestBody", {}) for one in (before, after))
    if bodies.get("required") and not body.get("required"):
        yield "a body must be sent"
    for kind, content in body.get("content", {}).items():
        if kind not in bodies.get("content", {}):
            yield f"{kind} is not taken any more"
        else:
            there = bodies["content"][kind]["schema"]
            yield from _narrower(old, content["schema"], new, there, "body")
    for status, answer in before["responses"].items():
        if status >= "400":
            continue
        if status not in after["responses"]:
            yield f"does not answer {status} any more"
            continue
        for kind, content in answer.get("content", {}).items():
            there = after["responses"][status].get("content", {})
            if kind not in there:
                yield f"does not answer {kind} any more"
            else:
                yield from _wider(
                    old, content.get("schema", {}), new, there[kind].get("schema", {}), "answer"
                )


def _narrower(old: Json, before: Json, new: Json, after: Json, where: str) -> Iterator[str]:
    """What was taken and is not any more."""
    before, after = _resolved(old, before), _resolved(new, after)
    if "type" in before:  # of several kinds that are taken now, the one that was
        choices = [_resolved(new, one) for one in after.get("anyOf", ())]
        after = next((one for one in choices if one.get("type") == before["type"]), after)
    yield from _kind(before, after, where)
    if "enum" in after and (gone := set(before.get("enum", ["anything"])) - set(after["enum"])):
        yield f"{where} may not be {', '.join(map(str, sorted(gone, key=str)))} any more"
    for low in ("minimum", "minLength", "minItems"):
        if after.get(low, 0) > before.get(low, 0):
            yield f"{where} has a higher {low}"
    for high in ("maximum", "maxLength", "maxItems"):
        if high in after and after[high] < before.get(high, float("inf")):
            yield f"{where} has a lower {high}"
    for name in sorted(set(after.get("required", ())) - set(before.get("required", ()))):
        yield f"{where}.{name} must be given"
    there = after.get("properties", {})
    for name, one in before.get("properties", {}).items():
        if name in there:
            yield from _narrower(old, one, new, there[name], f"{where}.{name}")
        elif after.get("additionalProperties") is False:
            yield f"{where}.{name} is not taken any more"


def _wider(old: Json, before: Json, new: Json, after: Json, where: str) -> Iterator[str]:
    """What was answered and may be missing now, or of another kind."""
    before, after = _resolved(old, before), _resolved(new, after)
    yield from _kind(before, after, where)
    if "enum" in before and (more := set(after.get("enum", ["anything"])) - set(before["enum"])):
        yield f"{where} may be {', '.join(map(str, sorted(more, key=str)))}"
    for name in sorted(set(before.get("required", ())) - set(after.get("required", ()))):
        yield f"{where}.{name} may be missing"
    there = after.get("properties", {})
    for name, one in before.get("properties", {}).items():
        if name not in there:
            yield f"{where}.{name} is gone"
        else:
            yield from _wider(old, one, new, there[name], f"{where}.{name}")
    if "items" in before and "items" in after:
        yield from _wider(old, before["items"], new, after["items"], f"{where}[]")


def _kind(before: Json, after: Json, where: str) -> Iterator[str]:
    kinds = [
        one.get("type") or sorted(json.dumps(each, sort_keys=True) for each in one.get("anyOf", ()))
        for one in (before, after)
    ]
    if before and after and kinds[0] != kinds[1]:
        yield f"{where} is {kinds[1]}, was {kinds[0]}"


def _resolved(whole: Json, schema: Json) -> Json:
    if "$ref" in schema:
        found: Json = whole["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        return found
    return schema


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, Mapping):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"].rsplit("/", 1)[1]
        for one in part.values():
            yield from _references(one)
    elif isinstance(part, list):
        for one in part:
            yield from _references(one)


def main(path: Path) -> int:
    """Write the document; 1 if it would break clients of what is there."""
    from delineate.api.app import create
    from delineate.jobs.settings import Settings

    with tempfile.TemporaryDirectory() as folder:
        new = own(document(create(Settings(data=Path(folder)))))
    if path.exists():
        old = json.loads(path.read_text())
        majors = [one["info"]["version"].split(".")[0] for one in (old, new)]
        if majors[0] == majors[1] and (found := breaks(old, new)):
            sys.stderr.write("\n".join([*found, "this breaks clients: let VERSION grow", ""]))
            return 1
    path.write_text(text(new))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
