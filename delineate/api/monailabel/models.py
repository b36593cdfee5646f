"""Detectors as models of MONAI Label."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from delineate.api.state import State
from delineate.errors import InputError, UnknownDetectorError

__all__ = ["SEGMENTING", "SHOWN", "model", "models", "numbered", "options", "told"]

# Types that the clients show; they pass over the others. Restored images have no place in the
# protocol.
_TYPES = {
    "labelmap": "segmentation",
    "masks": "segmentation",
    "field": "segmentation",
    "instances": "detection",
    "classes": "classification",
}
SEGMENTING = ("labelmap", "masks", "field")
SHOWN = ("segmentation", "detection")
_SECONDS = 60.0
# Slicer drops this name from its list of labels, and all that follow move up by one.
_TAKEN = "background"


async def models(service: State) -> dict[str, dict[str, Any]]:
    """What is installed and fits the protocol, by id, as `registry.describe` has it."""
    listed = await service.librarian.run("detectors", _SECONDS)
    return {one["id"]: one for one in listed if one["gives"] in _TYPES}


async def model(service: State, name: str) -> dict[str, Any]:
    """One of them.

    Raises
    ------
    UnknownDetectorError
        If there is none of that name.
    """
    known = await models(service)
    if name not in known:
        raise UnknownDetectorError(
            f"there is no model {name[:100]!r}; there are {', '.join(known) or 'none'}", name[:100]
        )
    return known[name]


def told(detector: Mapping[str, Any]) -> dict[str, Any]:
    """A detector as ``/info/`` lists it: labels from 1 on without a gap, none for background."""
    return {
        "type": _TYPES[detector["gives"]],
        "labels": numbered(detector),
        "dimension": detector["wants"]["dimensions"] or 3,
        "description": f"{detector['title']}. {detector['intended_use']}",
        "version": detector["version"],
        "config": _config(detector["options_schema"]),
    }


def numbered(detector: Mapping[str, Any]) -> dict[str, int]:
    """Numbers of its labels by name, from 1 on."""
    names = [one["name"] for one in detector["categories"]]
    names = [f"{name} (class)" if name.lower() == _TAKEN else name for name in names]
    return {name: number for number, name in enumerate(names, 1)}


def options(detector: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """A detector's options out of a request's parameters; all others are the protocol's own.

    Slicer sends back what ``config`` held: texts for lists and objects, and nothing where a value
    was empty.

    Raises
    ------
    InputError
        If a list or an object is none.
    """
    chosen: dict[str, Any] = {}
    for name, entry in _entries(detector["options_schema"]):
        if name not in params or params[name] in ("", None):
            continue
        value = params[name]
        if isinstance(value, str) and _is_nested(entry):
            try:
                value = json.loads(value)
            except ValueError as error:
                raise InputError(f"expected JSON for {name!r}, got {value[:100]!r}") from error
        chosen[name] = value
    return chosen


def _config(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Options as Slicer edits them: lists are choices, all texts, the first of which is chosen."""
    config: dict[str, Any] = {}
    for name, entry in _entries(schema):
        default = entry.get("default")
        choices = entry.get("enum")
        if choices is not None and all(isinstance(one, str) for one in choices):
            config[name] = sorted(choices, key=lambda one: one != default)
        elif _is_nested(entry) and default is not None:
            config[name] = json.dumps(default)
        else:
            config[name] = "" if default is None else default
    return config


def _entries(schema: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, entry in schema.get("properties", {}).items():
        defined = schema.get("$defs", {}).get(entry.get("$ref", "").rsplit("/", 1)[-1], {})
        yield name, {**defined, **entry}


def _is_nested(entry: Mapping[str, Any]) -> bool:
    kinds = [entry, *entry.get("anyOf", ())]
    return any(one.get("type") in ("array", "object") for one in kinds)
