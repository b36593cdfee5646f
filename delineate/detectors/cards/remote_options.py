"""Options of a detector elsewhere, from the JSON schema that its service tells.

A detector's process imports its options by name; those of a card are made when this module is
asked for them: ``remote_options:of_nodules_elsewhere`` are those of the card ``nodules-elsewhere``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal, Optional, Union

from pydantic import Field, create_model

from delineate.errors import ModelError
from delineate.plugins import Options

__all__ = ["options_of", "told_options"]

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
_SAID = {"title", "description", "default", "type", "enum", "const", "anyOf", "items"}
_SAID |= {"prefixItems", "examples"}


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
    return _made(identifier, json.dumps(schema))


def told_options(options: Options, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Values to tell the service: all but those that only it has a default for."""
    silent = {name for name, one in schema.get("properties", {}).items() if "default" not in one}
    values = options.model_dump(mode="json")
    return {
        name: value for name, value in values.items() if value is not None or name not in silent
    }


@lru_cache(maxsize=256)
def _made(identifier: str, text: str) -> type[Options]:
    schema = json.loads(text)
    required = set(schema.get("required", ()))
    fields: dict[str, Any] = {}
    for name, entry in schema.get("properties", {}).items():
        try:
            fields[name] = _field(entry, name in required)
        except (KeyError, TypeError, AttributeError) as error:
            if name in required:
                raise ModelError(
                    f"the detector of the card {identifier} must be given the option {name!r}, "
                    f"whose kind cannot be offered here ({entry}); use its service itself"
                ) from error
    called = _PREFIX + identifier.replace(".", "__").replace("-", "_")
    try:
        made = create_model(called, __base__=Options, __module__=__name__, **fields)
        made.model_json_schema()
        if not required:
            made()  # defaults have to fit
    except Exception as error:  # pydantic has many kinds for names and types that it refuses
        raise ModelError(
            f"the options of the detector of the card {identifier} cannot be offered: {error}"
        ) from error
    made.__doc__ = schema.get("description") or "Options of a detector elsewhere."
    return made


def _field(entry: Mapping[str, Any], required: bool) -> tuple[Any, Any]:
    """Type and default of an option; errors as of `_kind`."""
    kind = _kind(entry)
    told: dict[str, Any] = {"description": entry.get("description"), "validate_default": True}
    if required:
        return kind, Field(**told, **_bounds(entry))
    if "default" in entry:
        return kind, Field(entry["default"], **told, **_bounds(entry))
    # The service has a default of its own, and is not told any.
    return Optional[_bounded(entry)], Field(None, **told)  # noqa: UP045


def _kind(entry: Mapping[str, Any]) -> Any:
    """The type that an entry of a schema means; KeyError or TypeError for what is not known."""
    if set(entry) - _SAID - set(_BOUNDS):
        raise KeyError(str(entry))
    if "enum" in entry or "const" in entry:
        choices = entry.get("enum", [entry.get("const")])
        if not all(isinstance(one, str | int | None) for one in choices):
            raise TypeError(f"choices {choices}")
        return Literal[tuple(choices)]
    if "anyOf" in entry:
        return Union[tuple(_bounded(one) for one in entry["anyOf"])]  # noqa: UP007
    if "prefixItems" in entry:
        places: Any = tuple(_bounded(one) for one in entry["prefixItems"])
        return tuple[places]
    if entry["type"] == "array":
        item: Any = _bounded(entry["items"])
        return tuple[item, ...]
    return _TYPES[entry["type"]]


def _bounded(entry: Mapping[str, Any]) -> Any:
    kind, bounds = _kind(entry), _bounds(entry)
    return Annotated[kind, Field(**bounds)] if bounds else kind


def _bounds(entry: Mapping[str, Any]) -> dict[str, Any]:
    if "prefixItems" in entry:  # as many as there are
        return {}
    return {keyword: entry[name] for name, keyword in _BOUNDS.items() if name in entry}
