"""The headers of NRRD files [1]_, and where their samples are.

References
----------
.. [1] https://teem.sourceforge.net/nrrd/format.html
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from delineate.errors import GeometryError, UnreadableFileError

__all__ = ["Layout", "beside", "integers", "parse_nrrd", "spacing", "vector"]

Triple = tuple[float, float, float]

_KINDS = {
    "i1": "signed char, int8, int8_t",
    "u1": "uchar, unsigned char, uint8, uint8_t",
    "i2": "short, short int, signed short, signed short int, int16, int16_t",
    "u2": "ushort, unsigned short, unsigned short int, uint16, uint16_t",
    "i4": "int, signed int, int32, int32_t",
    "u4": "uint, unsigned int, uint32, uint32_t",
    "i8": "longlong, long long, long long int, signed long long, signed long long int, int64, "
    "int64_t",
    "u8": "ulonglong, unsigned long long, unsigned long long int, uint64, uint64_t",
    "f4": "float",
    "f8": "double",
}
_NRRD_TYPES = {name: code for code, names in _KINDS.items() for name in names.split(", ")}
_ENCODINGS = {"raw": "raw", "gzip": "gzip", "gz": "gzip", "bzip2": "bzip2", "bz2": "bzip2"}
_SPACES: dict[str, Triple] = {
    "left-posterior-superior": (1, 1, 1),
    "lps": (1, 1, 1),
    "right-anterior-superior": (-1, -1, 1),
    "ras": (-1, -1, 1),
    "left-anterior-superior": (1, -1, 1),
    "las": (1, -1, 1),
}
_SPATIAL_KINDS = ("domain", "space", "???", "none")


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """What a header says, in the order of the file: fastest axis first.

    Parameters
    ----------
    name, format
        Of the file; ``"nrrd"`` or ``"metaimage"``.
    sizes
        Samples along each axis.
    spatial
        Which axes lie in space.
    extra_axis
        What the other axes count, for messages.
    dtype
        In the file's byte order.
    encoding
        See :func:`~delineate.formats.samples.decompressed`.
    data, offset, line_skip, skip
        File of the samples; bytes (-1: as many as stand before the last samples) and lines to
        skip in it, and bytes to skip once decompressed.
    spacings
        Of each axis, ``None`` where not given.
    directions
        One step along each axis in the file's space, or ``None`` where none are given.
    origin
        Centre of the first sample.
    to_lps
        Signs that turn the file's space to LPS.
    texts
        Key and value pairs that are no part of the format.
    """

    name: str
    format: str
    sizes: tuple[int, ...]
    spatial: tuple[bool, ...]
    extra_axis: str
    dtype: np.dtype[Any]
    encoding: str
    data: Path
    offset: int
    line_skip: int
    skip: int
    spacings: tuple[float | None, ...]
    directions: tuple[Triple, ...] | None
    origin: Triple | None
    to_lps: Triple
    texts: Mapping[str, str]


def parse_nrrd(head: bytes, path: Path, data: Path | None = None) -> Layout:
    """Read the header of a NRRD file from its first bytes.

    Raises
    ------
    UnreadableFileError
        If it is incomplete, contradicts itself or uses what is not supported.
    GeometryError
        If its space is not one of the patient's.
    """
    name = path.name
    text, attached, start = _split(head)
    fields, texts = _nrrd_fields(text)
    for field in ("dimension", "type", "sizes", "encoding"):
        if field not in fields:
            raise UnreadableFileError(f"{name} has no {field!r} in its NRRD header")
    sizes = integers(fields["sizes"], "sizes", name)
    if len(sizes) != integers(fields["dimension"], "dimension", name)[0] or min(sizes) < 1:
        raise UnreadableFileError(
            f"{name} has sizes {list(sizes)} for dimension {fields['dimension']} in its header"
        )
    code = _NRRD_TYPES.get(fields["type"].lower())
    encoding = _ENCODINGS.get(fields["encoding"].lower())
    if code is None or encoding is None:
        raise UnreadableFileError(
            f"{name} holds samples of type {fields['type']!r} in encoding {fields['encoding']!r}; "
            "expected integers or floats, raw, gzip or bzip2: save it again as gzip"
        )
    endian = fields.get("endian", "").lower()
    if code[1] != "1" and endian not in ("little", "big"):
        raise UnreadableFileError(f"{name} does not say which byte order its samples have (endian)")
    listed = fields.get("datafile")
    if listed is None and not attached:
        raise UnreadableFileError(f"{name} ends within the NRRD header")
    byte_skip = integers(fields.get("byteskip", "0"), "byte skip", name)[0]
    line_skip = integers(fields.get("lineskip", "0"), "line skip", name)[0]
    if byte_skip < -1 or line_skip < 0 or (byte_skip == -1 and encoding != "raw"):
        raise UnreadableFileError(f"{name} has an impossible byte or line skip in its header")
    offset, skip = (0 if listed else start), byte_skip
    if encoding == "raw" and line_skip == 0:
        offset, skip = (-1 if byte_skip == -1 else offset + byte_skip), 0
    kinds = fields.get("kinds", "").lower().split()
    directions, spatial = _nrrd_directions(fields, len(sizes), kinds, name)
    space, to_lps = fields.get("space", "").lower().removesuffix("-time"), (1.0, 1.0, 1.0)
    if directions is not None:
        if space not in _SPACES:
            raise GeometryError(
                f"{name} gives directions in the space {space!r}, which does not say where the "
                "patient's left is; expected left-posterior-superior, right-anterior-superior or "
                "left-anterior-superior"
            )
        to_lps = _SPACES[space]
    spacings = fields.get("spacings", "").split()
    origin = vector(fields["spaceorigin"], name) if "spaceorigin" in fields else None
    colours = any("color" in kind or "vector" in kind for kind in kinds)
    return Layout(
        name=name,
        format="nrrd",
        sizes=sizes,
        spatial=spatial,
        extra_axis="components a sample" if colours else "volumes",
        dtype=np.dtype(("<" if endian != "big" else ">") + code),
        encoding=encoding,
        data=(data or beside(path, listed)) if listed else path,
        offset=offset,
        line_skip=line_skip,
        skip=skip,
        spacings=tuple(spacing(spacings[i : i + 1], name) for i in range(len(sizes))),
        directions=directions,
        origin=origin if origin and len(origin) == 3 else None,
        to_lps=to_lps,
        texts=texts,
    )


def _split(head: bytes) -> tuple[str, bool, int]:
    """Header text, whether a blank line ends it, and where what follows begins."""
    match = re.search(rb"\r?\n\r?\n", head)
    text = head[: match.start()] if match else head
    return text.decode("utf-8", "replace"), match is not None, match.end() if match else len(head)


def _nrrd_fields(text: str) -> tuple[dict[str, str], dict[str, str]]:
    fields, texts = {}, {}
    for line in text.splitlines()[1:]:
        if line.startswith("#"):
            continue
        pair = re.match(r"([^:]+):(=| )(.*)", line)
        if pair and pair[2] == "=":
            texts[pair[1]] = re.sub(r"\\(n|\\)", _unescaped, pair[3].strip())
        elif pair:
            fields[re.sub(r"[ _-]", "", pair[1]).lower()] = pair[3].strip()
    return fields, texts


def _unescaped(match: re.Match[str]) -> str:
    return "\n" if match[1] == "n" else "\\"


def _nrrd_directions(
    fields: Mapping[str, str], dimension: int, kinds: list[str], name: str
) -> tuple[tuple[Triple, ...] | None, tuple[bool, ...]]:
    text = fields.get("spacedirections")
    if text is None:
        known = kinds if len(kinds) == dimension else ["domain"] * dimension
        return None, tuple(kind in _SPATIAL_KINDS for kind in known)
    parts = re.findall(r"\([^)]*\)|none", text)
    if len(parts) != dimension:
        raise UnreadableFileError(
            f"{name} has {len(parts)} space directions for {dimension} axes in its header"
        )
    vectors = [(0.0, 0.0, 0.0) if part == "none" else vector(part, name) for part in parts]
    if any(len(vector) != 3 for vector in vectors):
        raise GeometryError(f"{name} has space directions that do not have three components")
    directions = tuple((vector[0], vector[1], vector[2]) for vector in vectors)
    return directions, tuple(part != "none" for part in parts)


def vector(text: str, name: str) -> tuple[float, ...]:
    """Numbers separated by commas, in parentheses or not."""
    try:
        return tuple(float(part) for part in text.strip("() ").split(","))
    except ValueError as error:
        raise UnreadableFileError(f"{name} has a broken vector {text!r} in its header") from error


def spacing(parts: list[str], name: str) -> float | None:
    """The first of ``parts`` as a number; ``None`` where there is none, or NaN."""
    try:
        value = float(parts[0]) if parts else math.nan
    except ValueError as error:
        raise UnreadableFileError(f"{name} has a broken spacing {parts} in its header") from error
    return None if math.isnan(value) else value


def integers(text: str, field: str, name: str) -> tuple[int, ...]:
    """Integers separated by blanks; a zero where there are none."""
    try:
        return tuple(int(part) for part in text.split()) or (0,)
    except ValueError as error:
        raise UnreadableFileError(f"{name} has a broken {field!r} in its header") from error


def beside(path: Path, listed: str) -> Path:
    """The file of the samples: only one next to the header, whatever the header asks for.

    Messages do not repeat its name, which may be a patient's.
    """
    bare = re.fullmatch(r"(\./)?([^/\\%:]+)", listed)
    if not bare or bare[2] in (".", "..") or listed.upper().startswith("LIST"):
        raise UnreadableFileError(
            f"{path.name} keeps its samples in several files or in another folder; expected one "
            "file named without a folder, next to the header: save the image as a single file"
        )
    data = path.parent / bare[2]
    if not data.is_file() or data.resolve().parent != path.parent.resolve():
        raise UnreadableFileError(
            f"{path.name} keeps its samples in another file, which is not next to it; send both "
            "files under the names they have, or save the image as a single file"
        )
    return data
