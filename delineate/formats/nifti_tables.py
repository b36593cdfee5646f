"""Tables of labels in the extensions of a NIfTI header: our own, and Caret's."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape, unescape

from delineate.imaging import Category, Code

__all__ = ["caret_table", "comment", "label_table", "read_caret_table", "read_own_table"]

Extensions = tuple[tuple[int, bytes], ...]

_SCHEMA = "delineate/labels/1"
_COMMENT = 6  # the extension code of a plain comment, which every reader may ignore


def label_table(categories: Mapping[int, Category], unit: str, number: int | None = None) -> bytes:
    """Names, colours and codes as the text of a comment extension: ASCII, JSON.

    ``number`` is that of the structure whose mask the file holds, if it holds one.
    """
    labels = []
    for label, category in sorted(categories.items()):
        entry: dict[str, Any] = {"label": label, "name": category.name}
        entry["colour"] = list(category.colour)
        if category.laterality:
            entry["laterality"] = category.laterality
        if category.code:
            code = category.code
            entry["code"] = {"value": code.value, "scheme": code.scheme, "meaning": code.meaning}
        labels.append(entry)
    table: dict[str, Any] = {"schema": _SCHEMA, "unit": unit, "labels": labels}
    if number is not None:
        table["number"] = number
    return json.dumps(table).encode("ascii")


def caret_table(categories: Mapping[int, Category]) -> bytes:
    """Names and colours as Caret and Connectome Workbench have them, which others read too."""
    rows = []
    for label, category in sorted(categories.items()):
        red, green, blue = (f"{part / 255:.6g}" for part in category.colour)
        name = "".join(letter if letter.isprintable() else " " for letter in category.name)
        rows.append(
            f'<Label Key="{label}" Red="{red}" Green="{green}" Blue="{blue}" Alpha="1">'
            f"{escape(name)}</Label>"
        )
    text = (
        '<?xml version="1.0" encoding="UTF-8"?><CaretExtension><VolumeInformation Index="0">'
        f"<LabelTable>{''.join(rows)}</LabelTable><VolumeType>Label</VolumeType>"
        "</VolumeInformation></CaretExtension>"
    )
    return text.encode()


def comment(extensions: Extensions) -> str:
    """The text of `label_table`; empty where there is none."""
    texts = (text for code, text in extensions if code == _COMMENT and _SCHEMA.encode() in text)
    return next(texts, b"").decode("latin-1")


def read_own_table(extensions: Extensions) -> dict[int, Category]:
    """What `label_table` has written."""
    found = {}
    try:
        for entry in json.loads(comment(extensions) or '{"labels": []}')["labels"]:
            code = Code(**entry["code"]) if "code" in entry else None
            colour = tuple(int(part) for part in entry["colour"])
            side = entry.get("laterality")
            found[int(entry["label"])] = Category(entry["name"], colour, code, side)  # type: ignore[arg-type]
    except (ValueError, TypeError, KeyError):
        return {}  # a comment that somebody changed by hand: labels keep their numbers
    return found


def read_caret_table(extensions: Extensions) -> dict[int, Category]:
    """The table of Caret and Connectome Workbench, which TotalSegmentator writes too."""
    found = {}
    pattern = rb'<Label Key="(\d{1,5})"([^>]*)>\s*(?:<!\[CDATA\[(.*?)\]\]>|([^<]*))\s*</Label>'
    for _, text in extensions:
        if b"<CaretExtension>" in text:
            for key, attributes, quoted, plain in re.findall(pattern, text):
                name = quoted.decode("utf-8", "replace") or unescape(
                    plain.decode("utf-8", "replace")
                )
                if 0 < int(key) < 65536 and name.strip():
                    found[int(key)] = Category(name.strip(), _caret_colour(attributes))
    return found


def _caret_colour(attributes: bytes) -> tuple[int, int, int]:
    parts = dict(re.findall(rb'(Red|Green|Blue)="([0-9.eE+-]{1,30})"', attributes))
    try:
        red, green, blue = (
            min(255, max(0, round(float(parts[name]) * 255)))
            for name in (b"Red", b"Green", b"Blue")
        )
    except (KeyError, ValueError, OverflowError):
        return (-1, -1, -1)
    return red, green, blue
