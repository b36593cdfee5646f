"""The Modality LUT: what a table makes of stored samples (PS3.3 C.11.1).

Its output is Hounsfield units only where ModalityLUTType says so. A CT with a table to anything
else is refused, for its samples would be taken for Hounsfield units; other modalities have no unit
to mistake.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

from delineate.formats.dicom.quiet import quiet_pydicom

__all__ = ["ModalityTable", "read_table", "table_fault"]


@dataclass(frozen=True, slots=True)
class ModalityTable:
    """A table of unsigned numbers.

    ``first`` is the stored sample that ``entries[0]`` (16 bits, little endian) stands for; samples
    below it become the first entry, those beyond the table the last. ``kind`` is ModalityLUTType:
    ``"HU"``, ``"OD"``, ``"US"`` (unspecified) and so on.
    """

    first: int
    entries: bytes
    kind: str

    def apply(self, stored: NDArray[Any]) -> NDArray[np.uint16]:
        """Entries for stored samples, of their shape."""
        table = np.frombuffer(self.entries, "<u2")
        index = np.clip(stored.astype(np.int64) - self.first, 0, table.size - 1)
        return table[index].astype(np.uint16, copy=False)


def read_table(file: IO[bytes], signed: bool) -> ModalityTable | None:
    """The table of a DICOM file; ``None`` if it contradicts itself.

    Parameters
    ----------
    file
        Open for reading, standing anywhere.
    signed
        Whether stored samples are, and so the first of them in the table.
    """
    import pydicom

    file.seek(0)
    with quiet_pydicom():
        dataset = pydicom.dcmread(
            file,
            force=True,
            stop_before_pixels=True,
            specific_tags=["ModalityLUTSequence", "PixelRepresentation"],
        )
        items: Any = dataset.get("ModalityLUTSequence") or ()
        if len(items) != 1 or "LUTDescriptor" not in items[0] or "LUTData" not in items[0]:
            return None
        descriptor = [int(part) & 0xFFFF for part in items[0].LUTDescriptor]
        data, kind = items[0].LUTData, str(items[0].get("ModalityLUTType") or "")
        little = dataset.original_encoding[1] is not False
    if len(descriptor) != 3:
        return None
    size, first, bits = descriptor[0] or 65536, descriptor[1], descriptor[2]
    first = first - 65536 if signed and first >= 32768 else first
    entries = _entries(data, size, bits, "<" if little else ">") if 1 <= bits <= 16 else None
    if entries is None or int(entries.max()) >> bits:
        return None
    return ModalityTable(first, entries.astype("<u2").tobytes(), kind)


def table_fault(table: ModalityTable | None, modality: str, rescaled: bool) -> tuple[str, str]:
    """Why samples cannot be mapped by a table: a code and what is wrong; both empty if they can."""
    if table is None:
        return "unreadable", "has a Modality LUT that contradicts itself"
    if rescaled:
        return "unreadable", "has a rescale and a Modality LUT; which of them holds is unknown"
    if modality == "CT" and table.kind != "HU":
        kind = re.sub(r"[^A-Z0-9_]", "", table.kind[:16]) or "nothing"
        return "unreadable", f"has a Modality LUT to {kind}, not to Hounsfield units (HU)"
    return "", ""


def _entries(
    data: Any, size: int, bits: int, order: Literal["<", ">"]
) -> NDArray[np.unsignedinteger[Any]] | None:
    """Entries of a LUT of either VR; those of 8 bits may lie two in a word, the low one first."""
    if not isinstance(data, bytes):
        words = np.atleast_1d(np.asarray(data, np.int64)).astype(np.uint16)
    elif bits <= 8 and len(data) in (size, size + 1) and (order == "<" or len(data) % 2):
        return np.frombuffer(data, np.uint8)[:size]
    else:
        words = np.frombuffer(data[: len(data) // 2 * 2], f"{order}u2").astype(np.uint16)
    if bits <= 8 and words.size < size:
        return words.astype("<u2").view(np.uint8)[:size] if 2 * words.size >= size else None
    return words[:size] if words.size >= size else None
