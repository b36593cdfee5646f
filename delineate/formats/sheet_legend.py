"""The legend under a contact sheet: what was found, in which colour, and how much of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from delineate.contour import Structure
from delineate.formats.marks import Mark
from delineate.formats.sheet_tile import TEXT, write_text
from delineate.imaging import Category, Grid

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

__all__ = ["Entry", "Legend", "of_classes", "of_marks", "of_numbers", "of_structures"]

Colour = tuple[int, int, int]

DIM = (150, 156, 163)
LINE = 26  # height of a line
_COLUMN = 380
_MOST_NAMES = 60
_MOST_NUMBERS = 8
_BAR = 140


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: a colour, a text, whether it was found, and a share from 0 to 1 drawn as a bar."""

    colour: Colour | None
    text: str
    found: bool = True
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Legend:
    """Entries in as many columns as a sheet so many pixels wide has room for."""

    entries: Sequence[Entry]
    width: int
    scale: float

    @property
    def rows(self) -> int:
        """Lines it takes."""
        return -(-len(self.entries) // max(1, int(self.width // (_COLUMN * self.scale))))

    def write(self, pen: ImageDraw, left: int, top: int) -> None:
        """Draw it."""
        size = self.scale
        for i, entry in enumerate(self.entries):
            x = left + i // self.rows * _COLUMN * size
            y = top + i % self.rows * LINE * size
            if entry.colour and entry.share is None:
                pen.rectangle((x, y + 3 * size, x + 16 * size, y + 15 * size), fill=entry.colour)
                x += 26 * size
            if entry.share is not None:
                full = (x, y + 3 * size, x + _BAR * size, y + 15 * size)
                pen.rectangle(full, fill=(48, 52, 57))
                if entry.share > 0:
                    end = max(1.0, entry.share * _BAR * size)
                    pen.rectangle((*full[:2], x + end, full[3]), fill=entry.colour or TEXT)
                x += (_BAR + 10) * size
            colour = TEXT if entry.found else DIM
            write_text(pen, (x, y + 9 * size), entry.text, "lm", 17 * size, colour)


def of_structures(
    structures: Sequence[Structure], grid: Grid, volumes_ml: Mapping[int, float]
) -> list[Entry]:
    """A line a structure: its volume or area, or that it was not found."""
    entries = []
    for structure in structures[:_MOST_NAMES]:
        found = bool(structure.contours)
        amount = _amount(structure, grid, volumes_ml) if found else "not found"
        name = _name(structure.category)
        entries.append(Entry(structure.category.colour, f"{name}   {amount}", found))
    return _shortened(entries, len(structures))


def of_marks(marks: Sequence[Mark], overall: Mapping[str, float]) -> list[Entry]:
    """How many there are, within which limits where they are known, and of each category."""
    told = f"{len(marks)} found"
    if {"count_low", "count_high"} <= overall.keys():
        low, high = overall["count_low"], overall["count_high"]
        told += f"   (95 %: {low:,.0f} to {high:,.0f})"
    counts = Counter(mark.category for mark in marks)
    entries = [
        Entry(category.colour, f"{_name(category)}   {count:,}")
        for category, count in counts.most_common(_MOST_NAMES)
    ]
    return [Entry(None, told), *_shortened(entries, len(counts))]


def of_classes(classes: Iterable[tuple[Category, float]]) -> list[Entry]:
    """A bar a category, as long as it is probable."""
    entries = [
        Entry(category.colour, f"{share:.1%}   {_name(category)}", share > 0, share)
        for category, share in classes
    ]
    return _shortened(entries[:_MOST_NAMES], len(entries))


def of_numbers(overall: Mapping[str, float]) -> list[Entry]:
    """Numbers about the whole image but the counts, a line each."""
    rest = [name for name in overall if name.partition("_")[0] != "count"]
    return [
        Entry(None, f"{name.replace('_', ' ')[:30]}   {overall[name]:.6g}", found=False)
        for name in rest[:_MOST_NUMBERS]
    ]


def _shortened(entries: list[Entry], count: int) -> list[Entry]:
    more = count - len(entries)
    return [*entries, Entry(None, f"and {more} more")] if more else entries


def _name(category: Category) -> str:
    name = category.name
    if category.laterality and category.laterality not in name.lower():
        name = f"{name}, {category.laterality}"
    return name if len(name) <= 30 else f"{name[:29]}…"


def _amount(structure: Structure, grid: Grid, volumes_ml: Mapping[int, float]) -> str:
    """Volume, as measured if known, or area where there is one slice; holes taken off."""
    area = sum(-one.area if one.is_hole else one.area for one in structure.contours)
    if grid.unit != "mm":
        return f"{area:,.0f} px"
    if grid.shape[0] == 1:
        return f"{area:,.1f} mm²"
    volume = volumes_ml.get(structure.number, area * grid.slice_distance / 1000)
    return f"{volume:,.1f} ml" if volume >= 0.1 else f"{volume:.2g} ml"
