"""From DICOM files to series: what they hold, and one of them as an image."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from delineate.errors import GeometryError, TooLargeError, UnreadableFileError
from delineate.formats.dicom.header import NotASlice, parse
from delineate.formats.dicom.notes import samples_of, what_is_shared
from delineate.formats.dicom.pixels import read_samples, unsupported
from delineate.formats.dicom.quiet import quiet_pydicom
from delineate.formats.dicom.slices import Entry, Slice
from delineate.formats.dicom.source import DicomSource, ResampledSource
from delineate.formats.dicom.stack import Stack, stacks
from delineate.formats.geometry import SeriesReport, advice_for
from delineate.formats.particulars import Ignored, Problem
from delineate.imaging import Image

__all__ = ["find_stacks", "read_stack", "report"]

_LARGE, _MAX_RATIO = 2 << 30, 200
_UNREADABLE = ("unreadable", "truncated", "unsupported_transfer_syntax", "duplicate_instance")


def find_stacks(
    entries: Iterable[Entry], *, resample: bool = False, broken: int = 0
) -> tuple[tuple[Stack, ...], tuple[Ignored, ...]]:
    """Stacks of slices in DICOM files given in any order, and the files that are in none.

    ``resample``: uneven slices are brought onto a regular grid where that can be done.
    ``broken``: so many more DICOM files are there that cannot even be opened.
    """
    slices: list[Slice] = []
    ignored = []
    for entry in entries:
        try:
            slices += parse(entry)
        except NotASlice as reason:
            ignored.append(Ignored(entry.name, str(reason)))
            broken += reason.broken
    with quiet_pydicom():
        reasons = {
            syntax: unsupported(syntax) for syntax in {one.transfer_syntax for one in slices}
        }
    for index, one in enumerate(slices):
        why = reasons[one.transfer_syntax]
        if why and not one.fault[0]:
            slices[index] = replace(one, fault=("unsupported_transfer_syntax", why))
    found = stacks(slices, resample=resample)
    ignored += _left_out(found)
    if broken:
        found = tuple(_beside_broken(stack, broken) for stack in found)
    return found, tuple(ignored)


def _left_out(found: Iterable[Stack]) -> list[Ignored]:
    """Files of which no slice is in any stack, each once."""
    found = tuple(found)
    used = {one.entry.path for stack in found for one in stack.slices}
    reasons = {
        one.entry.path: Ignored(one.entry.name, reason)
        for stack in found
        for one, reason in stack.left_out
        if one.entry.path not in used
    }
    return list(reasons.values())


def _beside_broken(stack: Stack, count: int) -> Stack:
    """A broken file beside a series may have been its first or last slice: say so."""
    what = "file is" if count == 1 else "files are"
    problem = Problem("broken_file", f"{count} DICOM {what} broken and may belong to this series")
    advice = f"{count} broken DICOM {what} left out; send the series again if a slice is missing."
    corrections = (*stack.corrections, advice) if stack.grid is not None else ()
    return replace(stack, notes=(*stack.notes, problem), corrections=corrections)


def report(stack: Stack) -> SeriesReport:
    """What is known of a stack before its pixels are read."""
    first = stack.slices[0]
    place = stack.grid or stack.frame
    told = SeriesReport(
        id=stack.id,
        format="dicom",
        modality=first.modality,
        description=first.description,
        slices=len(stack.slices),
        verdict="corrected" if stack.corrections else "usable",
        advice=" ".join(stack.corrections) or "Nothing to do.",
        problems=stack.faults + stack.notes,
        why=what_is_shared(stack.slices, place),
        files=tuple(dict.fromkeys(one.entry.name for one in stack.slices)),
        spacings=tuple(replace(one, mm=round(one.mm, 4)) for one in stack.spacings),
        gaps=stack.uneven.gaps,
        duplicates=stack.uneven.duplicates,
        localizer=all("LOCALIZER" in one.image_type for one in stack.slices),
        samples=samples_of(stack.slices),
    )
    if stack.grid is not None:
        return told.placed(stack.grid)
    told = replace(told, verdict="refused", advice=advice_for(stack.faults))
    if place is None:
        return _partly_placed(told, stack.slices)
    extents = told.placed(place).field_of_view_mm
    span = place.spacing[0] / place.slice_distance * (stack.span + place.slice_distance)
    return replace(told.placed(place), field_of_view_mm=(round(span, 3), *extents[1:]))


def _partly_placed(told: SeriesReport, slices: Sequence[Slice]) -> SeriesReport:
    """What is known of slices that do not say where they lie: their size and sample spacing."""
    first = slices[0]
    if len({(one.rows, one.columns) for one in slices}) > 1:
        return told
    told = replace(told, shape=(len(slices), first.rows, first.columns))
    if first.spacing is None or len({one.spacing for one in slices}) > 1:
        return told
    row, column = first.spacing
    extents = (0.0, round(first.rows * row, 3), round(first.columns * column, 3))
    return replace(told, spacing_mm=(0.0, row, column), field_of_view_mm=extents)


def read_stack(stack: Stack) -> Image:
    """The image of a stack.

    Raises
    ------
    GeometryError
        If the slices make no regular grid; the message names them.
    UnreadableFileError
        If pixels are missing, broken or in a transfer syntax that is not read.
    """
    if stack.grid is None:
        raise _refusal(stack.id, stack.faults)
    _demand_plausible_size(stack)
    array = read_samples(stack.slices)
    modality = stack.slices[0].modality
    if stack.bridge is not None:
        source = ResampledSource(stack.id)
        array = stack.bridge.applied(array)
        return Image(array, stack.grid, modality, (), source, stack.corrections)
    return Image(array, stack.grid, modality, (), _source(stack), stack.corrections)


def _demand_plausible_size(stack: Stack) -> None:
    """Refuse compressed files that would fill the memory with nothing."""
    assert stack.grid is not None
    size = 2 * math.prod(stack.grid.shape)
    if size > _LARGE:
        packed = sum(path.stat().st_size for path in {one.entry.path for one in stack.slices})
        if size > _MAX_RATIO * packed:
            raise TooLargeError(
                f"series {stack.id} unpacks {packed} bytes to {size}; no scan compresses so well"
            )


def _refusal(uid: str, faults: Sequence[Problem]) -> GeometryError | UnreadableFileError:
    told = "; ".join(one.message for one in faults)
    message = f"series {uid} cannot be read: {told}. {advice_for(faults)}"
    if faults[0].code in _UNREADABLE:
        return UnreadableFileError(message)
    return GeometryError(message)


def _source(stack: Stack) -> DicomSource:
    import pydicom

    first = stack.slices[0]
    with quiet_pydicom():
        header = pydicom.dcmread(first.entry.path, force=True, stop_before_pixels=True)
    return DicomSource(
        study_uid=first.study_uid,
        series_uid=first.series_uid,
        frame_of_reference_uid=first.frame_of_reference_uid,
        stack=stack.id,
        sop_class_uids=tuple(one.sop_class_uid for one in stack.slices),
        sop_instance_uids=tuple(one.sop_instance_uid for one in stack.slices),
        frame_numbers=tuple(one.frame + 1 if one.frames > 1 else 0 for one in stack.slices),
        header=header,
    )
