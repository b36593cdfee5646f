"""What a stack's headers say that its reader should know, whether it can be read or not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from delineate.formats.dicom.codecs import NATIVE
from delineate.formats.dicom.pixels import syntax_name
from delineate.formats.dicom.quiet import quiet_pydicom
from delineate.formats.dicom.slices import Slice
from delineate.formats.particulars import Problem, Rescale, Samples
from delineate.imaging import Grid

__all__ = ["broken", "notes", "samples_of", "tilt", "what_is_shared"]

_TILT = 0.1  # degrees; less is no tilt that anybody set


def broken(group: Sequence[Slice]) -> list[Problem]:
    """Faults of the slices, one problem a kind."""
    found: dict[str, list[str]] = defaultdict(list)
    for one in group:
        code, what = one.fault
        if code:
            found[code].append(f"{one.label} {what}")
        elif one.slope == 0:
            found["unreadable"].append(f"{one.label} has a rescale slope of zero")
    return [
        Problem(code, "; ".join(texts[:4]) + (f"; and {len(texts) - 4} more" * (len(texts) > 4)))
        for code, texts in found.items()
    ]


def notes(ordered: Sequence[Slice]) -> list[Problem]:
    """What is unusual about slices and does not keep them from being read."""
    first, found = ordered[0], []
    if first.frames > 1:
        found.append(Problem("multi_frame", "an enhanced multi-frame instance"))
    if any((one.slope, one.intercept) != (first.slope, first.intercept) for one in ordered):
        found.append(
            Problem("per_slice_rescale", "slices have rescales of their own; each is applied")
        )
    if any(one.table is not None for one in ordered):
        found.append(Problem("modality_lut", "stored samples are mapped by the file's own table"))
    if first.photometric == "MONOCHROME1":
        found.append(
            Problem(
                "monochrome1",
                "is to be shown with low values bright (MONOCHROME1); the values are kept as "
                "they are",
            )
        )
    if first.padding is not None and first.modality == "CT":
        low = first.padding[0] * first.slope + first.intercept
        if not -1024 <= low <= 3071:
            found.append(
                Problem("padding", f"samples of the padding value {low:g} HU are read as -1024 HU")
            )
    if len(ordered) == 1:
        thickness = f"{first.step:g}" if first.step else "unknown, 1"
        found.append(Problem("single_slice", f"one slice only; its thickness is {thickness} mm"))
    return found


def tilt(grid: Grid, *, kept: bool) -> list[Problem]:
    """Whether the gantry was tilted; ``kept``, as a shear, in what is read."""
    angle = np.degrees(np.arccos(min(1.0, grid.slice_distance / grid.spacing[0])))
    if angle <= _TILT:
        return []
    how = "; kept as a shear, outlines fit" if kept else ""
    return [Problem("gantry_tilt", f"the gantry was tilted by {angle:.1f} degrees{how}")]


def samples_of(slices: Sequence[Slice]) -> Samples:
    """How the slices store their samples, as the first one does unless said otherwise."""
    first = slices[0]
    compression = ""
    if first.transfer_syntax not in NATIVE:
        with quiet_pydicom():
            compression = syntax_name(first.transfer_syntax)
    pairs = {(one.slope, one.intercept) for one in slices}
    rescale: Rescale = "per slice"
    if any(one.table is not None for one in slices):
        rescale = "table"
    elif len(pairs) == 1:
        rescale = "none" if pairs == {(1.0, 0.0)} else "constant"
    same = rescale in ("none", "constant")
    return Samples(
        bits_allocated=first.bits_allocated,
        bits_stored=first.bits_stored,
        signed=first.signed,
        photometric=first.photometric,
        compression=compression,
        frames=first.frames,
        rescale=rescale,
        slope=first.slope if same else None,
        intercept=first.intercept if same else None,
        padding=first.padding,
    )


def what_is_shared(slices: Sequence[Slice], grid: Grid | None) -> str:
    """One sentence: for what these slices are one series."""
    first, n = slices[0], len(slices)
    files = len({one.entry.path for one in slices})
    of = f"{n} frames of {files} file{'s' * (files > 1)}" if first.frames > 1 else _files(files)
    shared = [f"series UID {first.series_uid or '(none)'}"]
    if len({(one.rows, one.columns) for one in slices}) == 1:
        shared.append(f"{first.rows} x {first.columns} samples")
    if first.spacing and len({one.spacing for one in slices}) == 1:
        shared.append(f"{first.spacing[0]:g} x {first.spacing[1]:g} mm")
    if grid is not None and n > 1:
        shared.append(f"one direction ({grid.orientation})")
    kinds = {one.acquisition[0] if one.acquisition else "" for one in slices}
    if len(kinds) == 1 and (number := kinds.pop()):
        shared.append(f"acquisition {number[:16]}")
    return f"{of} {'that share' if n > 1 else 'of'} {', '.join(shared)}."


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"
