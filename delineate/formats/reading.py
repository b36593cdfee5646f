"""Read and inspect whatever was given, by content: a folder, a file, a list of files, a zip."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from delineate.errors import (
    GeometryError,
    InputError,
    OptionError,
    SeriesChoiceError,
    UnreadableFileError,
)
from delineate.formats import dicom
from delineate.formats.dicom import Entry
from delineate.formats.entries import Paths, beside, gathered, unzipped
from delineate.formats.geometry import Report, SeriesReport
from delineate.formats.particulars import Ignored, Problem
from delineate.formats.sniff import Kind, kind_of, what_else
from delineate.formats.stated import (
    SampleSize,
    is_guess,
    scaled,
    scaled_reports,
    with_modality,
)
from delineate.imaging import Image

__all__ = ["Uneven", "inspect", "read"]

Uneven = Literal["refuse", "resample"]
_SYSTEM = (".DS_Store", "Thumbs.db", "desktop.ini")
_VOLUME = 3  # so many slices make a lone slice of another series a stray


@dataclass(frozen=True, slots=True)
class _Found:
    """A series that was found: its report, and how to read it."""

    report: SeriesReport
    read: Callable[[], Image]


def inspect(
    paths: Paths,
    *,
    uneven: Uneven = "refuse",
    spacing_mm: SampleSize | None = None,
) -> Report:
    """Say what files hold, and whether it can be used, without reading a DICOM's samples.

    Parameters
    ----------
    paths
        A folder (searched through), a file, a zip, or any number of these in any order. Formats
        are told by content; names and suffixes do not matter.
    uneven, spacing_mm
        As for `read`.

    Returns
    -------
    Report
        Files that hold no image are listed with the reason; they never raise. Each file that was
        given is in a series' ``files``, or in ``ignored``.

    Raises
    ------
    UploadError
        If a zip is hostile, damaged or too large.
    OptionError
        If ``spacing_mm`` makes no sense, or all scales are known.
    FileNotFoundError
        If a path does not exist.
    """
    with gathered(paths) as (entries, scratch):
        found, ignored = _search(entries, scratch, _resample(uneven))
        reports = [one.report for one in found]
        if spacing_mm is not None:
            reports = scaled_reports(reports, spacing_mm)
        return Report.of(reports, ignored)


def read(
    paths: Paths,
    series: str | None = None,
    *,
    uneven: Uneven = "refuse",
    spacing_mm: SampleSize | None = None,
    modality: str | None = None,
) -> Image:
    """Read one image.

    Parameters
    ----------
    paths
        As for `inspect`.
    series
        Id of a series in the report of `inspect`. May be left out where only one is offered.
    uneven
        What to do about DICOM slices at uneven distances, or of which some are missing:
        ``"refuse"`` them, or ``"resample"`` them by linear interpolation along the step from slice
        to slice onto the finest frequent distance (:mod:`delineate.formats.dicom.bridge`). A gap
        into which more than three slices would have to be made up is refused all the same.
    spacing_mm
        Size of a sample where the file does not say it (a photograph): one number, or two for
        ``(row, column)``.
    modality
        DICOM's code, or ``"photo"``, where the file does not say it.

    Returns
    -------
    Image
        Hounsfield units for CT. Its ``source`` knows what an exporter has to point back to, its
        ``notes`` what was assumed, stated or interpolated.

    Raises
    ------
    SeriesChoiceError
        If several series are offered and none was chosen, or ``series`` is not among them.
    GeometryError
        If the slices do not make a regular grid.
    UnreadableFileError
        If there is no image, or it is broken or in a form that is not read.
    OptionError
        If ``spacing_mm`` or ``modality`` contradict the file.
    """
    with gathered(paths) as (entries, scratch):
        found, ignored = _search(entries, scratch, _resample(uneven))
        chosen = _choose(found, ignored, series)
        image = chosen.read()
    if spacing_mm is not None:
        image = scaled(image, spacing_mm)
    if modality is not None:
        image = with_modality(image, modality, guessed=is_guess(chosen.report))
    return image


def _resample(uneven: str) -> bool:
    if uneven not in ("refuse", "resample"):
        raise OptionError(f"uneven is 'refuse' or 'resample', got {uneven[:40]!r}")
    return uneven == "resample"


def _choose(found: Sequence[_Found], ignored: Sequence[Ignored], series: str | None) -> _Found:
    if not found:
        got = f"{len(ignored)} files that hold none"
        if not ignored:
            got = "no file at all; give a file, or a folder or zip that holds some"
        elif len(ignored) == 1:
            got = ignored[0].reason
        raise UnreadableFileError(
            f"expected an image (DICOM, NIfTI, NRRD, MetaImage, PNG, JPEG, TIFF), got {got}"
        )
    if series is not None:
        for one in found:
            if one.report.id == series:
                return one
        raise SeriesChoiceError(
            f"there is no series {series}; choose one of {len(found)}", _choices(found)
        )
    offered = [one for one in found if one.report.offered]
    if len(offered) > 1:
        raise SeriesChoiceError(
            f"{len(offered)} series can be read; choose one by its id", _choices(offered)
        )
    if offered:
        return offered[0]
    largest = max(found, key=lambda one: one.report.slices)
    if any(one.report.verdict != "refused" for one in found):
        why = largest.report.problems[0].message if largest.report.problems else "it is broken"
        raise SeriesChoiceError(
            f"the largest series, of {largest.report.slices} slices, cannot be read: {why}; send "
            "it whole, or choose another by its id",
            _choices(found),
        )
    return largest  # reading it raises its reason


def _choices(found: Sequence[_Found]) -> list[dict[str, object]]:
    return [
        {
            "id": one.report.id,
            "modality": one.report.modality,
            "slices": one.report.slices,
            "description": one.report.description,
        }
        for one in found
    ]


def _search(
    entries: Sequence[Entry], scratch: Path, resample: bool
) -> tuple[list[_Found], list[Ignored]]:
    kinds: dict[Kind, list[Entry]] = {}
    ignored = []
    for entry in entries:
        if Path(entry.name).name in _SYSTEM or Path(entry.name).name.startswith("._"):
            ignored.append(Ignored(entry.name, "a file of the operating system"))
        else:
            kinds.setdefault(kind_of(entry.path), []).append(entry)
    samples = _detached(kinds, entries)
    kinds = {
        kind: [entry for entry in members if entry not in samples.values()]
        for kind, members in kinds.items()
    }
    plain, broken = unzipped(kinds.pop("gzipped dicom", []), scratch)
    ignored += [
        Ignored(one.name, "a gzipped DICOM file that is broken or cut short; copy it again")
        for one in broken
    ]
    found, not_slices = _dicom([*kinds.pop("dicom", []), *plain], resample, len(broken))
    ignored += not_slices
    photos, zips, others = (kinds.pop(kind, []) for kind in ("photo", "zip", "other"))
    for kind, members in kinds.items():
        for entry in members:
            found += _single(entry, kind, ignored, samples.get(entry))
    ignored += [Ignored(one.name, what_else(one.path, one.name)) for one in others]
    ignored += [Ignored(one.name, "a zip beside or within others; send it alone") for one in zips]
    if found:
        ignored += [Ignored(one.name, "a picture beside medical images") for one in photos]
    else:
        found = [one for entry in photos for one in _single(entry, "photo", ignored)]
    return _without_strays(found), ignored


def _without_strays(found: Sequence[_Found]) -> list[_Found]:
    """Set scouts and lone slices aside where there is a volume beside them.

    What is smaller than a series that is refused is set aside too: it may not be what was meant.
    """
    volumes = [
        one.report for one in found if one.report.slices >= _VOLUME and not one.report.localizer
    ]
    most = max((one.slices for one in volumes if one.offered), default=0)
    most_refused = max((one.slices for one in volumes if one.verdict == "refused"), default=0)
    return [
        replace(one, report=replace(one.report, set_aside=_stray(one.report, most, most_refused)))
        for one in found
    ]


def _stray(report: SeriesReport, most: int, most_refused: int) -> str:
    """Why a series is not offered; empty if it is, or is refused itself."""
    if not report.offered:
        return report.set_aside
    choose = f"choose {report.id} to read it"
    if most and (report.slices == 1 or report.localizer):
        what = "a localizer" if report.localizer else "a single slice"
        return f"{what} beside a series of {most} slices; {choose}"
    if report.slices < most_refused:
        what = "1 slice" if report.slices == 1 else f"{report.slices} slices"
        return f"{what} beside a series of {most_refused} slices that cannot be read; {choose}"
    return ""


def _dicom(
    entries: Sequence[Entry], resample: bool, broken: int
) -> tuple[list[_Found], list[Ignored]]:
    if not entries:
        return [], []
    stacks, ignored = dicom.find_stacks(entries, resample=resample, broken=broken)
    found = [
        _Found(dicom.report(stack), lambda stack=stack: dicom.read_stack(stack))  # type: ignore[misc]
        for stack in stacks
    ]
    return found, list(ignored)


def _detached(
    kinds: Mapping[Kind, Sequence[Entry]], entries: Sequence[Entry]
) -> dict[Entry, Entry]:
    """Headers whose samples are in another file, and that file, as far as it is there."""
    headers = [*kinds.get("nrrd", ()), *kinds.get("metaimage", ())]
    if not headers:
        return {}
    from delineate.formats import nrrd

    found = {}
    for entry in headers:
        listed = nrrd.detached(entry.path)
        data = beside(entry, listed, entries) if listed else None
        if data is not None and data != entry:
            found[entry] = data
    return found


def _single(
    entry: Entry, kind: Kind, ignored: list[Ignored], data: Entry | None = None
) -> list[_Found]:
    """A file that holds one image, its samples perhaps in another one, ``data``.

    Where it holds none: nothing, and a line in ``ignored``.
    """
    module, arguments, files = _module(kind), {}, [entry]
    if data is not None:
        arguments, files = {"data": data.path}, [entry, data]
    why = "A header and its samples." if data else "1 file that holds one image."
    names = tuple(one.name for one in files)
    about: dict[str, Any] = {"id": entry.id or entry.name, "files": names, "why": why}
    try:
        report = replace(module.report(entry.path, **arguments), **about)
    except GeometryError as error:
        problem = Problem("missing_geometry", str(error))
        refused = SeriesReport.refusal([problem], id="", format=kind, slices=1)
        report = replace(refused, **about)
    except InputError as error:
        ignored += [Ignored(name, str(error)) for name in names]
        return []
    return [_Found(report, lambda: module.read(entry.path, **arguments))]


def _module(kind: Kind) -> Any:
    if kind == "nifti":
        from delineate.formats import nifti

        return nifti
    if kind == "photo":
        from delineate.formats import photo

        return photo
    from delineate.formats import nrrd

    return nrrd
