"""Options of a detector from a command line, a form or a request."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from delineate.errors import OptionError
from delineate.plugins.contract import DetectorSpec, Options

__all__ = ["parse"]


def parse(spec: DetectorSpec, values: Mapping[str, object]) -> Options:
    """Check option values and give them the types that the detector declares.

    Parameters
    ----------
    spec
        Whose options.
    values
        By name. Dashes count as underscores. Strings are read as the declared type: ``"0.5"`` as
        a number, ``"yes"`` as a truth value, ``"1,2,3"`` or ``"[1, 2, 3]"`` as a list.

    Raises
    ------
    OptionError
        Naming each option that is unknown, of the wrong type or out of range, and those known.
    """
    known = spec.options.model_fields
    given = {
        name if name in known else name.replace("-", "_"): value for name, value in values.items()
    }
    try:
        return spec.options.model_validate(given)
    except ValidationError as error:
        failed = {str(item["loc"][0]) for item in error.errors() if item["loc"]}
    properties = spec.options.model_json_schema().get("properties", {})
    lists = {name for name, entry in properties.items() if entry.get("type") == "array"}
    retry = {name: _reread(v, name in lists) if name in failed else v for name, v in given.items()}
    try:
        return spec.options.model_validate(retry)
    except ValidationError as error:
        problems = "; ".join(_problem(item, spec) for item in error.errors())
    end = "" if problems.endswith("?") else "."
    raise OptionError(f"{problems}{end} {_known(spec)}")


def _reread(value: object, is_list: bool) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        parts: list[object] = [part.strip() for part in value.split(",")]
        return parts if is_list or len(parts) > 1 else value


def _problem(item: Any, spec: DetectorSpec) -> str:
    if not item["loc"]:
        return f"options of {spec.id}: {item['msg']}"
    name = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        close = difflib.get_close_matches(name, spec.options.model_fields, n=1)
        hint = f", did you mean {close[0]!r}?" if close else ""
        return f"{spec.id} has no option {name!r}{hint}"
    if item["type"] == "missing":
        return f"option {name!r} of {spec.id} must be given"
    message = item["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"option {name!r} of {spec.id} {message}, got {item['input']!r}"


def _known(spec: DetectorSpec) -> str:
    if not spec.options.model_fields:
        return "It has no options"
    schema = spec.options.model_json_schema()["properties"]
    return "Known: " + ", ".join(_describe(name, entry) for name, entry in schema.items())


def _describe(name: str, entry: Mapping[str, Any]) -> str:
    choices = entry.get("enum")
    kind = " or ".join(map(repr, choices)) if choices else str(entry.get("type", "value"))
    low = entry.get("minimum", entry.get("exclusiveMinimum"))
    high = entry.get("maximum", entry.get("exclusiveMaximum"))
    if low is not None and high is not None:
        kind += f" from {low} to {high}"
    elif low is not None:
        kind += f" from {low}"
    elif high is not None:
        kind += f" to {high}"
    default = f", default {json.dumps(entry['default'])}" if "default" in entry else ""
    return f"{name} ({kind}{default})"
