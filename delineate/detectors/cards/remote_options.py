"""Options of a detector elsewhere, from the JSON schema that its service tells.

A detector's process imports its options by name; those of a card are made when this module is
asked for them: ``remote_options:of_nodules_elsewhere`` are those of the card ``nodules-elsewhere``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal, Union

from pydantic import Field, create_model

from delineate.errors import ModelError
from delineate.plugins import Options

__all__ = ["options_of"]

_PREFIX = "of_"
_TYPES: Mapping[str, Any] = {
    "boolean": bool,
    "integer": int,
    "number": float,
    "string": str,
    "null": None,
}
_BOUNDS = {
    "minimum": "ge",
    "maximum": "le",
    "exclusiveMinimum": "gt",
    "exclusiveMaximum": "lt",
    "minLength": "min_length",
    "maxLength": "max_length",
    "minItems": "min_length",
    "maxItems": "max_length",
}
_SAID = {"title", "description", "default", "type", "enum", "const", "anyOf", "items", "format"}


def __getattr__(name: str) -> Any:
    if not name.startswith(_PREFIX):
        raise AttributeError(name)
    from delineate.detectors.cards.store import find_card

    identifier = name.removeprefix(_PREFIX).replace("__", ".").replace("_", "-")
    part = find_card(identifier).card
    if part is None or part.delineate is None:
        raise AttributeError(name)
    return options_of(identifier, part.delineate.options_schema or {})


def options_of(identifier: str, schema: Mapping[str, Any]) -> type[Options]:
    """The options of a card, from a JSON schema as `pydantic` writes it.

    What this cannot check (an image as an option, say) is left out where it has a default; the
    service then takes that.

    Raises
    ------
    ModelError
        If an option that must be given cannot be offered.
    """
    return _made(identifier, json.dumps(schema, sort_keys=False))


@lru_cache(maxsize=256)
def _made(identifier: str, text: str) -> type[Options]:
    schema = json.loads(text)
    required = set(schema.get("required", ()))
    fields: dict[str, Any] = {}
    for name, entry in schema.get("properties", {}).items():
        try:
            kind = _kind(entry)
        except (KeyError, TypeError) as error:
            if name in required:
                raise ModelError(
                    f"the detector of the card {identifier} must be given the option {name!r}, "
                    f"whose kind cannot be offered here ({entry}); use its service itself"
                ) from error
            continue
        default = ... if name in required else entry.get("default")
        fields[name] = (
            kind,
            Field(default, description=entry.get("description"), **_bounds(entry)),
        )
    called = _PREFIX + identifier.replace(".", "__").replace("-", "_")
    made = create_model(called, __base__=Options, __module__=__name__, **fields)
    made.__doc__ = schema.get("description") or "Options of a detector elsewhere."
    return made


def _kind(entry: Mapping[str, Any]) -> Any:
    """The type that an entry of a schema means; KeyError or TypeError for what is not known."""
    if entry.get("format") == "image" or set(entry) - _SAID - set(_BOUNDS):
        raise KeyError(str(entry))
    if "enum" in entry or "const" in entry:
        return Literal[tuple(entry.get("enum", [entry.get("const")]))]
    if "anyOf" in entry:
        return Union[tuple(_bounded(one) for one in entry["anyOf"])]  # noqa: UP007
    if entry["type"] == "array":
        item: Any = _bounded(entry["items"])
        return tuple[item, ...]
    return _TYPES[entry["type"]]


def _bounded(entry: Mapping[str, Any]) -> Any:
    from typing import Annotated

    kind, bounds = _kind(entry), _bounds(entry)
    return Annotated[kind, Field(**bounds)] if bounds else kind


def _bounds(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {keyword: entry[name] for name, keyword in _BOUNDS.items() if name in entry}
