"""What a thing is: its name, colour and coded concept."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Category", "Code", "Laterality", "category_from_json", "category_json"]

Laterality = Literal["left", "right"]
Colour = tuple[int, int, int]

# Okabe & Ito, "Color Universal Design", 2008: told apart with every common colour blindness.
_PALETTE: tuple[Colour, ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept, such as ``Code("10200004", "SCT", "Liver")`` (DICOM PS3.3 section 8)."""

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Category:
    """What a finding or a label is.

    Parameters
    ----------
    name
        Unique within one detector; what people read.
    colour
        ``(red, green, blue)``, 0 to 255. By default one of seven that colour-blind people tell
        apart, the same for the same name in every run.
    code
        Coded concept, where there is one.
    laterality
        Side of a paired organ; ``None`` if it has none.
    """

    name: str
    colour: Colour = (-1, -1, -1)
    code: Code | None = None
    laterality: Laterality | None = None

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError("a category needs a name")
        if self.colour == (-1, -1, -1):
            number = zlib.crc32(self.name.encode()) % len(_PALETTE)
            object.__setattr__(self, "colour", _PALETTE[number])
        if len(self.colour) != 3 or not all(0 <= part <= 255 for part in self.colour):
            raise ValueError(
                f"expected a colour of three values from 0 to 255, got {self.colour} "
                f"for category {self.name!r}"
            )

    @property
    def hex_colour(self) -> str:
        """The colour as CSS writes it, such as ``"#e69f00"``."""
        return "#" + "".join(f"{part:02x}" for part in self.colour)


def category_json(category: Category) -> dict[str, Any]:
    """Name, colour (``"#d55e00"``), laterality and code."""
    code = category.code
    return {
        "name": category.name,
        "colour": category.hex_colour,
        "laterality": category.laterality,
        "code": None
        if code is None
        else {"value": code.value, "scheme": code.scheme, "meaning": code.meaning},
    }


def category_from_json(document: Mapping[str, Any]) -> Category:
    """Inverse of :func:`category_json`."""
    red, green, blue = bytes.fromhex(document["colour"].removeprefix("#"))
    code = document["code"]
    return Category(
        document["name"],
        (red, green, blue),
        None if code is None else Code(code["value"], code["scheme"], code["meaning"]),
        document["laterality"],
    )
