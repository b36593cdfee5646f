"""Tell formats apart by their first bytes, never by a file's name."""

from __future__ import annotations

import re
import warnings
import zlib
from pathlib import Path
from typing import Any, Literal

__all__ = ["Kind", "kind_of", "modality_of", "what_else"]

Kind = Literal["dicom", "gzipped dicom", "nifti", "nrrd", "metaimage", "photo", "zip", "other"]
_HEAD = 1024
_PHOTOS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*")


def kind_of(path: Path) -> Kind:
    """The format of a file; ``"other"`` for what is not read."""
    return _kind(_head(path))


def what_else(path: Path, name: str) -> str:
    """What a file of kind ``"other"`` seems to be, for the sentence that says it is ignored."""
    head = _head(path)
    if not head:
        return "empty"
    if head[:2] == b"\x1f\x8b":
        inner = _kind(_inflated(head))
        return f"a gzipped {inner} file; unpack it first" if inner != "other" else "gzipped data"
    if not re.search(rb"[\0-\x08\x0e-\x1a\x1c-\x1f]", head):
        what, suffix = "a text file", Path(name).suffix
        named = suffix.lower() in (".dcm", ".dicom", ".ima")
        return f"{what}, though its name ends in {suffix}" if named else what
    return "of no format that is read (DICOM, NIfTI, NRRD, MetaImage, PNG, JPEG, TIFF)"


def modality_of(path: Path) -> str:
    """Modality that a DICOM file states; empty where it states none or is broken."""
    import pydicom

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's remarks on values that are not used
        try:
            dataset: Any = pydicom.dcmread(
                path, stop_before_pixels=True, specific_tags=["Modality"]
            )
            return str(dataset.get("Modality", "") or "")
        except Exception:  # pydicom raises anything on broken files
            return ""


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)


def _kind(head: bytes) -> Kind:
    from delineate.formats.dicom.header import is_dicom

    if head[128:132] == b"DICM":  # first: its preamble may be that of a TIFF
        return "dicom"
    if head[:2] == b"\x1f\x8b":
        inner = _kind(_inflated(head))
        return "nifti" if inner == "nifti" else "gzipped dicom" if inner == "dicom" else "other"
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return "zip"
    if head[:5] == b"NRRD0":
        return "nrrd"
    if head.startswith(_PHOTOS):
        return "photo"
    if is_dicom(head):
        return "dicom"
    if _is_nifti(head):
        return "nifti"
    if re.match(rb"\s*(ObjectType|ObjectSubType|NDims|Comment)\s*=", head):
        return "metaimage"
    return "other"


def _is_nifti(head: bytes) -> bool:
    """NIfTI-1 and -2, single or in pairs; Analyze counts too, so that its reader can refuse it."""
    if len(head) < 348:
        return False
    size = {int.from_bytes(head[:4], "little"), int.from_bytes(head[:4], "big")}
    return 348 in size or (540 in size and head[4:6] in (b"n+", b"ni"))


def _inflated(head: bytes) -> bytes:
    try:
        return zlib.decompressobj(31).decompress(head, _HEAD)
    except zlib.error:
        return b""
