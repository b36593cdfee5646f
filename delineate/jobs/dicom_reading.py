"""Read what the DICOMweb node has to know of a file; runs in the child that reads strangers' files.

Bulk data is left out of the header: its place is told by ``"BulkDataURI": "@/bulkdata/TAG"``, where
``@`` stands for the address of the instance, which the answer puts in. The address of an element
within a sequence is ``TAG/ITEM/TAG``, items counting from 0.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from isal import igzip

from delineate.formats.dicom.elements import Elements, read_elements
from delineate.formats.dicom.quiet import quiet_pydicom
from delineate.jobs.admission import clean
from delineate.jobs.dicom_attributes import ATTRIBUTES, LEVELS, SHOWN

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["BULK_BYTES", "PLAIN", "header_of", "read"]

# Values of these forms that are longer are bulk data.
BULK_BYTES = 1024
_BULK = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "UN"))
# Little endian, stored as it is.
PLAIN = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1")
_PIXELS = {0x7FE00008: "OF", 0x7FE00009: "OD", 0x7FE00010: "OW"}
_UID = re.compile(r"[0-9.]{1,64}")
_KEPT = frozenset(
    (*(one.tag.split(".")[0] for one in ATTRIBUTES), *(t for one in LEVELS for t in SHOWN[one]))
)
# Codes of PS3.18 Table I.2-2.
_MISMATCH, _NOT_UNDERSTOOD, _FAILED = 0xA900, 0xC000, 0x0110
_MOST_FRAMES = 1 << 20


def read(paths: list[str], names: list[str]) -> list[dict[str, Any]]:
    """Read files.

    Parameters
    ----------
    paths
        The files.
    names
        What each is called where it lies in the end.

    Returns
    -------
    list of dict
        The fields of `dicom_record.Record` of each, bytes in base64; of a file that cannot be kept
        ``code`` and ``reason``, and its ``sop_class`` and ``instance`` where they are known.
    """
    reasons = clean([Path(path) for path in paths]) or [""] * len(paths)
    return [
        {"code": _FAILED, "reason": reason} if reason else _read(Path(path), name)
        for path, name, reason in zip(paths, names, reasons, strict=True)
    ]


def _read(path: Path, name: str) -> dict[str, Any]:
    import pydicom
    from pydicom.errors import InvalidDicomError

    try:
        with quiet_pydicom(), path.open("rb") as file:
            dataset = pydicom.dcmread(file, stop_before_pixels=True)
            elements = read_elements(_at_start(file), ())
            header = header_of(dataset, elements)
            frames = _frames(file, dataset, elements)
            cut = elements.offset + max(0, elements.length) > path.stat().st_size
    except InvalidDicomError:
        return {"code": _NOT_UNDERSTOOD, "reason": "it is no DICOM file (PS3.10) with a preamble"}
    except Exception as error:  # pydicom raises anything on broken files
        kind = type(error).__name__
        return {"code": _NOT_UNDERSTOOD, "reason": f"its header cannot be read ({kind})"}
    if (fault := _fault(dataset, cut)) is not None:
        return fault
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "attributes": {tag: value for tag, value in header.items() if tag in _KEPT},
        "header": _packed(header),
        "frames": None if frames is None else _packed(frames),
        "transfer_syntax": str(dataset.file_meta.TransferSyntaxUID),
        "size": path.stat().st_size,
        "digest": digest,
        "name": name,
    }


def _at_start(file: IO[bytes]) -> IO[bytes]:
    """The file, standing at its first byte."""
    file.seek(0)
    return file


def _packed(value: Any) -> str:
    plain = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return base64.b64encode(igzip.compress(plain, 3, mtime=0)).decode()


def _fault(dataset: Dataset, cut: bool) -> dict[str, Any] | None:
    """What forbids to keep an instance."""
    uids = {
        name: str(dataset.get(name, ""))
        for name in ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
    }
    known = {"sop_class": uids["SOPClassUID"], "instance": uids["SOPInstanceUID"]}
    known = {key: value if _UID.fullmatch(value) else "" for key, value in known.items()}
    broken = [name for name, value in uids.items() if not _UID.fullmatch(value)]
    if broken:
        return {"code": _MISMATCH, "reason": f"it has no valid {' and no '.join(broken)}", **known}
    syntax = str(dataset.file_meta.get("TransferSyntaxUID", ""))
    if not _UID.fullmatch(syntax):
        return {
            "code": _NOT_UNDERSTOOD,
            "reason": "its file meta names no transfer syntax",
            **known,
        }
    if cut:
        return {"code": _NOT_UNDERSTOOD, "reason": "its pixel data is cut short", **known}
    return None


def header_of(dataset: Dataset, elements: Elements) -> dict[str, Any]:
    """The header in the DICOM JSON model (PS3.18 Annex F), without group 2."""
    header = _model(dataset, "@/bulkdata")
    if elements.pixels:
        vr = _PIXELS[elements.pixels]
        if elements.pixels == 0x7FE00010 and (
            elements.length < 0 or int(dataset.get("BitsAllocated") or 16) <= 8
        ):
            vr = "OB"
        tag = f"{elements.pixels:08X}"
        header[tag] = {"vr": vr, "BulkDataURI": f"@/bulkdata/{tag}"}
    if "00080005" in header:
        header["00080005"] = {"vr": "CS", "Value": ["ISO_IR 192"]}  # JSON is UTF-8
    return header


def _model(dataset: Dataset, address: str) -> dict[str, Any]:
    model: dict[str, Any] = {}
    for element in dataset:
        tag = f"{element.tag:08X}"
        if element.VR == "SQ":
            items = [
                _model(item, f"{address}/{tag}/{number}")
                for number, item in enumerate(element.value)
            ]
            model[tag] = {"vr": "SQ", "Value": items} if items else {"vr": "SQ"}
        elif element.VR in _BULK and len(element.value or b"") > BULK_BYTES:
            model[tag] = {"vr": element.VR, "BulkDataURI": f"{address}/{tag}"}
        else:
            try:
                model[tag] = element.to_json_dict(None, 0)
            except Exception:  # a value that is not of its VR: told as empty
                model[tag] = {"vr": element.VR}
    return model


def _frames(file: IO[bytes], dataset: Dataset, elements: Elements) -> dict[str, Any] | None:
    """Where the frames lie: pairs of offset and length, several where a frame is in fragments.

    ``None`` where they do not lie in the file as they are to be sent.
    """
    syntax = str(dataset.file_meta.get("TransferSyntaxUID", ""))
    count = max(1, int(dataset.get("NumberOfFrames") or 1))
    if not elements.pixels or count > _MOST_FRAMES:
        return None
    if elements.length < 0:
        places = _fragments(file, elements.offset, count)
        return None if places is None else {"count": count, "places": places}
    bits = {0x7FE00008: 32, 0x7FE00009: 64}.get(elements.pixels) or int(dataset.BitsAllocated)
    bits *= int(dataset.Rows) * int(dataset.Columns) * int(dataset.get("SamplesPerPixel") or 1)
    if dataset.get("PhotometricInterpretation") == "YBR_FULL_422":
        bits = bits * 2 // 3
    if syntax not in PLAIN or bits % 8 or count * bits // 8 > elements.length:
        return None
    return {"count": count, "offset": elements.offset, "bytes": bits // 8}


def _fragments(file: IO[bytes], offset: int, count: int) -> list[list[list[int]]] | None:
    """Places of encapsulated frames (PS3.5 A.4); ``None`` where they cannot be told apart."""
    items = _items(file, offset)
    if not items:
        return None
    (table_at, table_length), *fragments = items
    if len(fragments) == count:
        return [[list(one)] for one in fragments]
    if count == 1 and fragments:
        return [[list(one) for one in fragments]]
    if table_length != 4 * count:
        return None
    file.seek(table_at)
    table = file.read(table_length)
    starts = [int.from_bytes(table[at : at + 4], "little") for at in range(0, table_length, 4)]
    first = table_at + table_length  # offsets count from the first fragment's item tag
    frames: list[list[list[int]]] = [[] for _ in starts]
    at = -1
    for start, length in fragments:
        if at + 1 < count and start - 8 - first == starts[at + 1]:
            at += 1
        if at < 0:
            return None
        frames[at].append([start, length])
    return frames if at == count - 1 else None


def _items(file: IO[bytes], at: int) -> list[tuple[int, int]]:
    """Offset and length of the items' values; none where the file breaks off."""
    found: list[tuple[int, int]] = []
    while len(found) <= 4 * _MOST_FRAMES:
        file.seek(at)
        head = file.read(8)
        length = int.from_bytes(head[4:], "little")
        if head[:4] == b"\xfe\xff\xdd\xe0":
            return found
        if len(head) < 8 or head[:4] != b"\xfe\xff\x00\xe0":
            return []
        found.append((at + 8, length))
        at += 8 + length
    return []
