"""The header of a NIfTI file: kind of samples, place in the world, names of labels."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from delineate.errors import GeometryError, UnreadableFileError
from delineate.formats.nifti_tables import comment, read_caret_table, read_own_table
from delineate.formats.particulars import Problem
from delineate.imaging import Category, Grid

__all__ = ["Header", "lps_affine", "parse", "ras_affine"]

Affine = NDArray[np.float64]

# NIfTI's code of the space in which the affine's lengths are given, to millimetres.
_MM = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
_UNIT_NAMES = {1: "metres", 3: "micrometres"}
_SAMPLES = "biuf"
_PAIRED = (b"ni1\0", b"ni2\0")


@dataclass(frozen=True, slots=True, eq=False)
class Header:
    """What a NIfTI header says, checked.

    Parameters
    ----------
    shape
        ``(slice, row, column)``: NIfTI's ``(k, j, i)``.
    dtype
        Of the stored samples, in the file's byte order.
    offset
        Bytes before the first sample.
    slope, inter
        Samples are ``stored * slope + inter``.
    volumes
        1 unless the file has further axes.
    hint
        Text in which the modality may be named.
    raw
        nibabel's header, which knows the affines.
    extensions
        Contents of the header's extensions, by code.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    offset: int
    slope: float
    inter: float
    volumes: int
    hint: str
    raw: Any
    extensions: tuple[tuple[int, bytes], ...]

    @property
    def size(self) -> int:
        """Number of bytes that the samples take."""
        return int(np.prod(self.shape, dtype=object)) * self.dtype.itemsize * self.volumes

    def grid(self) -> tuple[Grid, tuple[Problem, ...], tuple[str, ...]]:
        """Where the samples lie, what is odd about it and what is corrected.

        Raises
        ------
        GeometryError
            If the affine that the header prefers is no affine.
        """
        forms, problems, corrections = _forms(self.raw), [], []
        if not forms:
            ras = _from_spacing(self.raw)
            message = (
                "the header states no orientation (sform and qform codes are both 0): which side "
                "is the patient's left is not known"
            )
            problems.append(Problem("no_orientation", message))
            corrections.append(
                "Columns are taken to run to the patient's right, rows to the front and slices to "
                "the head; compare with the original image."
            )
        else:
            ras = forms[0]
        scale = _MM.get(int(self.raw["xyzt_units"]) % 8, 1.0)
        if scale != 1.0:
            unit = _UNIT_NAMES[int(self.raw["xyzt_units"]) % 8]
            problems.append(Problem("unit", f"the header gives lengths in {unit}"))
            corrections.append(f"Lengths are brought from {unit} to millimetres.")
            forms = [np.diag([scale, scale, scale, 1.0]) @ form for form in forms]
            ras = np.diag([scale, scale, scale, 1.0]) @ ras
        unit_px = '"unit": "px"' in comment(self.extensions)
        grid = Grid(self.shape, lps_affine(_with_depth(ras, self.shape)), "px" if unit_px else "mm")
        if len(forms) > 1:
            gap = _gap(grid, forms[1])
            if not gap <= 0.1:
                apart = f"put a corner of the image {gap:.2f} mm apart"
                if not np.isfinite(gap):
                    apart = "contradict each other (the qform is no affine)"
                message = f"sform and qform {apart}; the sform is used, as the standard recommends"
                problems.append(Problem("form_disagreement", message))
                corrections.append("The sform is used; the qform says otherwise.")
        return grid, tuple(problems), tuple(corrections)

    def categories(self) -> dict[int, Category]:
        """Names of the labels, where the file holds a table of them."""
        return read_own_table(self.extensions) or read_caret_table(self.extensions)

    def number(self) -> int | None:
        """Of the structure whose mask the file holds, where it says so."""
        match = re.search(r'"number": ([1-9][0-9]{0,4})\}$', comment(self.extensions))
        return int(match[1]) if match and int(match[1]) < 65536 else None


def parse(stream: BinaryIO, name: str) -> Header:
    """Read a header from the start of a (decompressed) stream.

    Raises
    ------
    UnreadableFileError
        If it is none, is cut short, or describes samples that are no real numbers.
    """
    from nibabel.nifti1 import Nifti1Header
    from nibabel.nifti2 import Nifti2Header

    start = stream.read(348)
    if len(start) < 348:
        raise UnreadableFileError(f"{name} ends after {len(start)} bytes, within the NIfTI header")
    sizes = {int.from_bytes(start[:4], "little"), int.from_bytes(start[:4], "big")}
    if 540 in sizes:
        start += stream.read(540 - 348)
        kind, magic, ours = Nifti2Header, start[4:8], b"n+2\0"
    else:
        kind, magic, ours = Nifti1Header, start[344:348], b"n+1\0"
    if magic in _PAIRED:
        raise UnreadableFileError(
            f"{name} is the header of a pair (.hdr and .img); convert it to a single .nii file"
        )
    if magic != ours or not sizes & {348, 540}:
        raise UnreadableFileError(
            f"{name} is no NIfTI file (expected the mark 'n+1' or 'n+2', got {magic!r}); "
            "Analyze files do not say which side is left: convert the original image instead"
        )
    if len(start) != kind.template_dtype.itemsize:
        raise UnreadableFileError(f"{name} ends within the NIfTI-2 header")
    return _checked(kind(start, check=False), stream, name)


def _checked(raw: Any, stream: BinaryIO, name: str) -> Header:
    sizes = [int(n) for n in raw["dim"]]
    if not 1 <= sizes[0] <= 7 or min(sizes[1 : 1 + sizes[0]]) < 1:
        raise UnreadableFileError(f"{name} has impossible sizes in its header: {sizes}")
    sizes = [*sizes[1 : 1 + sizes[0]], 1, 1, 1]
    try:
        dtype = raw.get_data_dtype()
    except Exception as error:
        code = int(raw["datatype"])
        raise UnreadableFileError(f"{name} holds samples of unknown kind {code}") from error
    if dtype.kind not in _SAMPLES or dtype.itemsize > 8:
        kind = "colours" if dtype.kind == "V" else str(dtype)
        raise UnreadableFileError(
            f"{name} holds samples of {kind}; expected integers or floats of at most 64 bits"
        )
    try:
        slope, inter = raw.get_slope_inter()
    except Exception as error:
        raise UnreadableFileError(f"{name} has a broken scale in its header: {error}") from error
    offset = float(raw["vox_offset"])
    least = raw.template_dtype.itemsize + 4
    if not np.isfinite(offset) or offset < 0:
        raise UnreadableFileError(f"{name} says that its samples start at byte {offset}")
    offset = max(int(offset), least)
    texts = (raw["intent_name"], raw["descrip"], raw.get("db_name", b""))
    return Header(
        shape=(sizes[2], sizes[1], sizes[0]),
        dtype=dtype,
        offset=offset,
        slope=1.0 if slope is None else float(slope),
        inter=0.0 if inter is None else float(inter),
        volumes=int(np.prod(sizes[3:], dtype=object)),
        hint=" ".join(bytes(text.item()).decode("latin-1") for text in map(np.asarray, texts)),
        raw=raw,
        extensions=_extensions(stream, offset - least, raw.endianness),
    )


def _extensions(stream: BinaryIO, size: int, endianness: str) -> tuple[tuple[int, bytes], ...]:
    """What stands between header and samples; damage ends the list, since nothing relies on it."""
    if stream.read(4)[:1] in (b"", b"\0") or size > 1 << 24:
        return ()
    block, found, start = stream.read(max(size, 0)), [], 0
    while start + 8 <= len(block):
        length, code = np.frombuffer(block, f"{endianness}i4", 2, start).tolist()
        if length < 8:
            break
        found.append((int(code), block[start + 8 : start + length].rstrip(b"\0")))
        start += length
    return tuple(found)


def _forms(raw: Any) -> list[Affine]:
    """The RAS affines that the header declares, the one to use first."""
    forms = []
    if int(raw["sform_code"]) > 0:
        forms.append(np.asarray(raw.get_sform(), dtype=np.float64))
    if int(raw["qform_code"]) > 0:
        try:
            forms.append(np.asarray(raw.get_qform(), dtype=np.float64))
        except Exception as error:
            if not forms:
                raise GeometryError(
                    f"the header's rotation (qform) is broken: {error}; export the image again"
                ) from error
    return forms


def _from_spacing(raw: Any) -> Affine:
    steps = [abs(float(step)) for step in raw["pixdim"][1:4]]
    return np.diag([*steps, 1.0])


def _with_depth(ras: Affine, shape: tuple[int, int, int]) -> Affine:
    """Give a single slice without thickness one of 1 mm, since a grid needs one."""
    if shape[0] > 1 or ras[:3, 2].any() or not np.isfinite(ras).all():
        return ras
    normal = np.cross(ras[:3, 0], ras[:3, 1])
    length = np.linalg.norm(normal)
    if length > 0:
        ras = ras.copy()
        ras[:3, 2] = normal / length
    return ras


def _gap(grid: Grid, form: Affine) -> float:
    """Largest distance between the corners that ``grid`` and a RAS affine give."""
    try:
        other = Grid(grid.shape, lps_affine(_with_depth(form, grid.shape)))
    except GeometryError:
        return float("inf")
    return float(np.linalg.norm(grid.corners - other.corners, axis=1).max())


def lps_affine(ras: Affine) -> Affine:
    """From NIfTI's ``(i, j, k)`` to RAS to ours: ``(slice, row, column)`` to LPS."""
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ ras[:, [2, 1, 0, 3]]


def ras_affine(grid: Grid) -> Affine:
    """The inverse of `lps_affine`."""
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ grid.affine[:, [2, 1, 0, 3]]
