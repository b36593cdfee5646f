"""What a format that drawings are written in has to say of itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from delineate.formats.drawing import Drawing
from delineate.imaging import LabelMap

__all__ = ["DEFAULT", "Choices", "Format", "Takes"]

Takes = Literal[
    "one layer",
    "layers",
    "layers or marks",
    "outlines",
    "outlines or marks",
    "surfaces",
    "rows",
    "rows or none",
    "anything",
]


@dataclass(frozen=True, slots=True)
class Choices:
    """What a format leaves open.

    Parameters
    ----------
    holes
        RTSTRUCT: ``"rings"`` within rings, ``"xor"``: the same, marked as such, or ``"keyhole"``:
        one ring with a channel.
    segments
        DICOM SEG, and the SR that refers to it: ``"binary"``, one bit a sample and segment, or
        ``"labelmap"``.
    """

    holes: Literal["rings", "xor", "keyhole"] = "rings"
    segments: Literal["binary", "labelmap"] = "binary"

    def __post_init__(self) -> None:
        for name, known in (
            ("holes", ("rings", "xor", "keyhole")),
            ("segments", ("binary", "labelmap")),
        ):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"expected {name} to be {' or '.join(known)}, got {getattr(self, name)!r}"
                )


DEFAULT = Choices()


@dataclass(frozen=True, slots=True, eq=False)
class Format:
    """One format that drawings are written in.

    Parameters
    ----------
    name
        What people ask for.
    file
        Name of the file, the same for every drawing.
    endings
        What files of this format may end in.
    media_type
        For HTTP.
    title
        One line for people.
    takes
        What of a drawing it needs.
    write
        Called with the drawing, the file, the sentence on its round trip, and the choices.
    read_back
        What the file says of the drawing's labels, on its grid; ``None`` for pictures and numbers.
    """

    name: str
    file: str
    endings: tuple[str, ...]
    media_type: str
    title: str
    takes: Takes
    write: Callable[[Drawing, Path, str, Choices], None]
    read_back: Callable[[Drawing, Path], Sequence[LabelMap]] | None = None

    @property
    def has_outlines(self) -> bool:
        """Whether how outlines are drawn matters."""
        return self.takes.startswith("outlines")

    @property
    def refers_to_series(self) -> bool:
        """Whether it points back to the DICOM series that the image was read from."""
        return self.media_type == "application/dicom"
