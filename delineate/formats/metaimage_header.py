"""The headers of MetaImage files [1]_.

References
----------
.. [1] https://itk.org/Wiki/MetaIO/Documentation
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from delineate.errors import UnreadableFileError
from delineate.formats.nrrd_header import Layout, beside, integers, spacing, vector

__all__ = ["parse_metaimage"]

Triple = tuple[float, float, float]

_TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}


def parse_metaimage(head: bytes, path: Path, data: Path | None = None) -> Layout:
    """Read the header of a MetaImage file from its first bytes.

    ``data`` is the file of the samples where they are in another one; by default the file that the
    header names, in its own folder.

    Raises
    ------
    UnreadableFileError
        If it is incomplete, contradicts itself or uses what is not supported.
    """
    name = path.name
    match = re.search(rb"(?m)^ElementDataFile\s*=\s*([^\r\n]*)\r?\n?", head)
    if match is None:
        raise UnreadableFileError(f"{name} has no ElementDataFile in its MetaImage header")
    texts = _pairs(head[: match.start()])
    sizes = integers(texts.get("DimSize", ""), "DimSize", name)
    code = _TYPES.get(texts.get("ElementType", ""))
    binary = texts.get("BinaryData", "True").lower() == "true"
    components = integers(texts.get("ElementNumberOfChannels", "1"), "channels", name)[0]
    if min(*sizes, components) < 1 or code is None or not binary:
        raise UnreadableFileError(
            f"{name} has DimSize {list(sizes)}, ElementType {texts.get('ElementType')!r} and "
            f"BinaryData {binary}; expected positive sizes and binary integers or floats"
        )
    order = texts.get("BinaryDataByteOrderMSB") or texts.get("ElementByteOrderMSB") or ""
    listed = match[1].decode("utf-8", "replace").strip()
    local = listed.upper() == "LOCAL"
    skip = integers(texts.get("HeaderSize", "0"), "HeaderSize", name)[0]
    packed = texts.get("CompressedData", "").lower() == "true"
    steps = (texts.get("ElementSpacing") or texts.get("ElementSize") or "").split()
    n = len(sizes)
    return Layout(
        name=name,
        format="metaimage",
        sizes=(components, *sizes),
        spatial=(False, *(True for _ in sizes)),
        extra_axis="components a sample" if components > 1 else "volumes",
        dtype=np.dtype((">" if order.lower() == "true" else "<") + code),
        encoding="zlib" if packed else "raw",
        data=path if local else data or beside(path, listed),
        offset=match.end() if local else max(skip, -1),
        line_skip=0,
        skip=0,
        spacings=(None, *(spacing(steps[i : i + 1], name) for i in range(n))),
        directions=_directions(texts, steps, n, name),
        origin=_origin(texts, n, name),
        to_lps=(1.0, 1.0, 1.0),
        texts=texts,
    )


def _pairs(head: bytes) -> dict[str, str]:
    pairs = {}
    for line in head.decode("utf-8", "replace").splitlines():
        key, mark, value = line.partition("=")
        if mark:
            pairs[key.strip()] = value.strip()
    return pairs


def _directions(
    texts: Mapping[str, str], steps: list[str], n: int, name: str
) -> tuple[Triple, ...] | None:
    text = texts.get("TransformMatrix") or texts.get("Rotation") or texts.get("Orientation")
    if text is None or not steps or n < 3:
        return None
    numbers = vector(",".join(text.split()), name)
    if len(numbers) != n * n:
        raise UnreadableFileError(f"{name} has {len(numbers)} numbers in its TransformMatrix")
    matrix = np.reshape(numbers, (n, n))
    rows = [(matrix[i, :3] * (spacing(steps[i : i + 1], name) or 0.0)).tolist() for i in range(n)]
    return ((0.0, 0.0, 0.0), *((row[0], row[1], row[2]) for row in rows))


def _origin(texts: Mapping[str, str], n: int, name: str) -> Triple | None:
    text = texts.get("Offset") or texts.get("Position") or texts.get("Origin")
    numbers = vector(",".join(text.split()), name) if text else ()
    return (numbers[0], numbers[1], numbers[2]) if len(numbers) == n >= 3 else None
