"""A form for a detector's options, from their JSON schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from magicgui.widgets import CheckBox, ComboBox, LineEdit
from magicgui.widgets.bases import ValueWidget

__all__ = ["fields", "values"]

_NOTHING = "as the detector has it"
Choices = Callable[[Any], Sequence[tuple[str, Any]]]


def fields(schema: Mapping[str, Any], images: Choices) -> list[ValueWidget[Any]]:
    """One widget an option, its help the option's description.

    Parameters
    ----------
    schema
        Of the options, an object.
    images
        The images that an option may name, as pairs of a label and a value.

    Returns
    -------
    list of ValueWidget
        A text field for whatever is neither a truth value, a choice nor an image: the detector's
        own declaration reads and checks what was typed.
    """
    required = schema.get("required", [])
    return [
        _field(name, _resolved(entry, schema), images, name in required)
        for name, entry in schema.get("properties", {}).items()
    ]


def values(widgets: Sequence[ValueWidget[Any]]) -> dict[str, Any]:
    """What was chosen or typed, by option; fields left as they were are left out."""
    given = {}
    for widget in widgets:
        value = widget.value
        if value is not None and value not in ("", _NOTHING):
            given[widget.name] = value
    return given


def _field(
    name: str, entry: Mapping[str, Any], images: Choices, required: bool
) -> ValueWidget[Any]:
    shown = {"name": name, "label": name.replace("_", " "), "tooltip": _help(entry)}
    if _is(entry, "format", "image"):
        return ComboBox(choices=images, nullable=not required, **shown)
    options = next((one["enum"] for one in _alternatives(entry) if "enum" in one), None)
    if options is not None:
        # None among the choices, where the option may be left out.
        return ComboBox(choices=[*options], value=entry.get("default", options[0]), **shown)
    if entry.get("type") == "boolean":
        return CheckBox(value=bool(entry.get("default", False)), **shown)
    default = entry.get("default")
    return LineEdit(value="" if default is None else _typed(default), **shown)


def _typed(default: object) -> str:
    if isinstance(default, list | tuple):
        return ",".join(map(str, default))
    return str(default)


def _help(entry: Mapping[str, Any]) -> str:
    limits = [
        f"{words} {entry[key]}"
        for key, words in (("minimum", "from"), ("maximum", "to"))
        if key in entry
    ]
    return " ".join([entry.get("description", ""), *limits]).strip()


def _alternatives(entry: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [entry, *entry.get("anyOf", [])]


def _is(entry: Mapping[str, Any], key: str, value: str) -> bool:
    return any(one.get(key) == value for one in _alternatives(entry))


def _resolved(entry: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """An entry with what its references name put in their place."""
    found = dict(entry)
    if "$ref" in found:
        found |= schema.get("$defs", {}).get(found.pop("$ref").rsplit("/", 1)[-1], {})
    if "anyOf" in found:
        found["anyOf"] = [_resolved(one, schema) for one in found["anyOf"]]
    return found
