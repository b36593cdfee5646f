"""Read and inspect whatever was given, by content: a folder, a file, a list of files, a zip."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from delineate.errors import (
    GeometryError,
    InputError,
    SeriesChoiceError,
    UnreadableFileError,
)
from delineate.formats import dicom
from delineate.formats.archive import extract, original_names
from delineate.formats.dicom import Entry
from delineate.formats.geometry import Ignored, Problem, Report, SeriesReport
from delineate.formats.sniff import Kind, kind_of, what_else
from delineate.imaging import Image

__all__ = ["inspect", "read"]

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
_SYSTEM = (".DS_Store", "Thumbs.db", "desktop.ini")


@dataclass(frozen=True, slots=True)
class _Found:
    """A series that was found: its report, and how to read it."""

    report: SeriesReport
    read: Callable[[], Image]


def inspect(paths: Paths) -> Report:
    """Say what files hold, and whether it can be used, without reading the samples.

    Parameters
    ----------
    paths
        A folder (searched through), a file, a zip, or any number of these in any order. Formats
        are told by content; names and suffixes do not matter.

    Returns
    -------
    Report
        Files that hold no image are listed with the reason; they never raise.

    Raises
    ------
    UploadError
        If a zip is hostile, damaged or too large.
    FileNotFoundError
        If a path does not exist.
    """
    with _entries(paths) as entries:
        found, ignored = _search(entries)
        return Report.of([one.report for one in found], ignored)


def read(paths: Paths, series: str | None = None) -> Image:
    """Read one image.

    Parameters
    ----------
    paths
        As for `inspect`.
    series
        Id of a series in the report of `inspect`. May be left out where only one is usable.

    Returns
    -------
    Image
        Hounsfield units for CT. Its ``source`` knows what an exporter has to point back to.

    Raises
    ------
    SeriesChoiceError
        If there are several usable series and none was chosen, or ``series`` is not among them.
    GeometryError
        If the slices do not make a regular grid.
    UnreadableFileError
        If there is no image, or it is broken or in a form that is not read.
    """
    with _entries(paths) as entries:
        found, ignored = _search(entries)
        return _choose(found, ignored, series).read()


def _choose(found: Sequence[_Found], ignored: Sequence[Ignored], series: str | None) -> _Found:
    if not found:
        got = ignored[0].reason if len(ignored) == 1 else f"{len(ignored)} files that hold none"
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
    usable = [one for one in found if one.report.verdict != "refused"]
    if len(usable) > 1:
        raise SeriesChoiceError(
            f"{len(usable)} series can be read; choose one by its id", _choices(usable)
        )
    # Where none can be read, reading the largest raises its reason.
    return usable[0] if usable else max(found, key=lambda one: one.report.slices)


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


def _search(entries: Sequence[Entry]) -> tuple[list[_Found], list[Ignored]]:
    kinds: dict[Kind, list[Entry]] = {}
    ignored = []
    for entry in entries:
        if Path(entry.name).name in _SYSTEM or Path(entry.name).name.startswith("._"):
            ignored.append(Ignored(entry.name, "a file of the operating system"))
            continue
        kind = kind_of(entry.path)
        if kind == "other":
            ignored.append(Ignored(entry.name, what_else(entry.path, entry.name)))
        elif kind == "zip":
            ignored.append(Ignored(entry.name, "a zip beside or within others; send it alone"))
        else:
            kinds.setdefault(kind, []).append(entry)
    found, not_slices = _dicom(kinds.pop("dicom", []))
    ignored += not_slices
    photos = kinds.pop("photo", [])
    for kind, members in kinds.items():
        for entry in members:
            found += _single(entry, kind, ignored)
    for entry in photos:
        if found:
            ignored.append(Ignored(entry.name, "a picture beside medical images"))
    if not found:
        found = [one for entry in photos for one in _single(entry, "photo", ignored)]
    return found, ignored


def _dicom(entries: Sequence[Entry]) -> tuple[list[_Found], list[Ignored]]:
    if not entries:
        return [], []
    stacks, ignored = dicom.find_stacks(entries)
    found = [
        _Found(dicom.report(stack), lambda stack=stack: dicom.read_stack(stack))  # type: ignore[misc]
        for stack in stacks
    ]
    return found, list(ignored)


def _single(entry: Entry, kind: Kind, ignored: list[Ignored]) -> list[_Found]:
    """A file that holds one image, or nothing and a line in ``ignored``."""
    module = _module(kind)
    try:
        report = replace(module.report(entry.path), id=entry.name)
    except GeometryError as error:
        problem = Problem("missing_geometry", str(error))
        report = SeriesReport.refusal([problem], id=entry.name, format=kind, slices=1)
    except InputError as error:
        ignored.append(Ignored(entry.name, str(error)))
        return []
    return [_Found(report, lambda: module.read(entry.path))]


def _module(kind: Kind) -> Any:
    if kind == "nifti":
        from delineate.formats import nifti

        return nifti
    if kind == "photo":
        from delineate.formats import photo

        return photo
    from delineate.formats import nrrd

    return nrrd


@contextmanager
def _entries(paths: Paths) -> Iterator[list[Entry]]:
    """All files, folders searched and a zip that stands alone unpacked."""
    given = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    entries = [entry for one in given for entry in _walk(Path(one))]
    if len(entries) != 1 or kind_of(entries[0].path) != "zip":
        yield entries
        return
    with tempfile.TemporaryDirectory(prefix="delineate-") as folder:
        unpacked = extract(entries[0].path, Path(folder))
        names = original_names(entries[0].path)
        yield [Entry(path, name) for path, name in zip(unpacked, names, strict=True)]


def _walk(path: Path) -> Iterator[Entry]:
    if path.is_dir():
        for one in sorted(path.rglob("*")):
            if one.is_file():
                yield Entry(one, one.relative_to(path).as_posix())
    elif path.is_file():
        yield Entry(path, path.name)
    else:
        raise FileNotFoundError(f"there is no file or folder {path}")
