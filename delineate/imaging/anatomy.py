"""What anatomy is called, coded and coloured: one table for the whole package.

Codes are SNOMED CT, with the meanings that DICOM gives them (PS3.16); the side of a paired organ
is a modifier of its own (CID 244), but for the few that DICOM only has with their side, such as
the left atrium. What no context group of DICOM lists has no code. Colours of the organs that are
found here are told apart by everybody; the others follow 3D Slicer's GenericAnatomyColors, right
ones darker than left ones.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from types import MappingProxyType

from delineate.imaging.category import Category, Code, Laterality

__all__ = ["Entry", "by_code", "category", "coded", "entries"]

Colour = tuple[int, int, int]

_SIDES: Mapping[str, Laterality] = MappingProxyType(
    {"left": "left", "lt": "left", "l": "left", "right": "right", "rt": "right", "r": "right"}
)
# A word of a name: "Kidney", "KIDNEY", "kidney", "L5", "Rib01", "3".
_WORD = re.compile(r"[A-Z]?[a-z]+\d*|[A-Z]+(?![a-z])\d*|\d+")


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the table.

    Parameters
    ----------
    name
        As segmentation models write it; a paired organ's ends in ``_left`` or ``_right``.
    paired
        Whether there is one on each side.
    code
        Coded concept, without its side; ``None`` where DICOM has none.
    colours
        Of the left, or only, one and of the right one.
    also
        Other names, those of AAPM TG-263 among them.
    """

    name: str
    paired: bool
    code: Code | None
    colours: tuple[Colour, Colour]
    also: tuple[str, ...]

    def category(self, side: Laterality | None = None) -> Category:
        """The category of one side; ``None``: of an unpaired organ, or of both."""
        name = f"{self.name}_{side}" if side else self.name
        return Category(name, self.colours[side == "right"], self.code, side)


@lru_cache(maxsize=1)
def entries() -> tuple[Entry, ...]:
    """The whole table."""
    text = resources.files("delineate.imaging").joinpath("anatomy.csv").read_text("utf-8")
    return tuple(
        Entry(
            row["name"],
            row["sides"] == "pair",
            Code(row["code"], "SCT", row["meaning"]) if row["code"] else None,
            (_colour(row["colour"]), _colour(row["colour_right"] or row["colour"])),
            tuple(filter(None, row["also"].split("; "))),
        )
        for row in csv.DictReader(text.splitlines())
    )


def category(name: str) -> Category | None:
    """The category that a name means, however it is spelt.

    Parameters
    ----------
    name
        Case, separators and the order of the words do not matter, nor how the side is given:
        ``kidney_left``, ``Left kidney``, ``Kidney_L`` and ``KIDNEY LT`` are the same.

    Returns
    -------
    Category or None
        By the name that the table has. ``None`` for what is not in it; also where a side is given
        to what has none (``left liver``), or both.
    """
    words = _words(name)
    sides = {word for word in words if word in ("left", "right")}
    whole = _entry(words)
    if whole:
        return whole.category()
    organ = _entry([word for word in words if word not in sides])
    if organ and organ.paired and len(sides) == 1:
        return organ.category("left" if "left" in sides else "right")
    return None


def coded(given: Category) -> Category:
    """A category with the code and the side that the table has for its name.

    It stays as it is where it has a code, or a side that the table contradicts.
    """
    known = category(given.name) if given.code is None else None
    if known is None or (given.laterality and known.laterality not in (None, given.laterality)):
        return given
    return replace(given, code=known.code, laterality=given.laterality or known.laterality)


def by_code(code: Code, side: Laterality | None = None) -> Category | None:
    """The category of a coded concept, which may be in SNOMED's older spelling ``SRT``.

    Parameters
    ----------
    code
        Its meaning is not looked at.
    side
        Laterality that came with it.

    Returns
    -------
    Category or None
        ``None`` for what is not in the table, or has no sides but was given one.
    """
    value, scheme = code.value, code.scheme
    if scheme in ("SRT", "SNM3", "99SDM"):
        from pydicom.sr._snomed_dict import mapping

        value, scheme = mapping["SRT"].get(value, ""), "SCT"
    entry = _codes().get(value) if scheme == "SCT" else None
    if entry is None or (side and not entry.paired):
        return None
    return entry.category(side)


def _entry(words: list[str]) -> Entry | None:
    """Words in any order, or run together: ``"gall bladder"``, ``"spinalcord"``."""
    names = _names()
    return names.get("".join(sorted(words))) or names.get("".join(words))


@lru_cache(maxsize=1)
def _names() -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for entry in entries():
        for name in (entry.name, *entry.also):
            words = _words(name)
            for key in ("".join(sorted(words)), "".join(words)):
                if found.setdefault(key, entry) is not entry:
                    raise ValueError(f"{name!r} is in two rows of the table of anatomy")
    return found


@lru_cache(maxsize=1)
def _codes() -> dict[str, Entry]:
    return {entry.code.value: entry for entry in entries() if entry.code}


def _words(name: str) -> list[str]:
    """Words in lower case, sides spelt out."""
    return [_SIDES.get(word, word) for word in map(str.lower, _WORD.findall(name))]


def _colour(text: str) -> Colour:
    red, green, blue = bytes.fromhex(text.removeprefix("#"))
    return red, green, blue
