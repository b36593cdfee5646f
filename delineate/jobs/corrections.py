"""Corrections of results: taken in, made into results of their own, listed as versions.

A correction is a job like any other, so that its state, its result, its exports, its objects in
DICOMweb and how long it is kept need no second way. In place of an installed detector's id it has
``"correction"``, and its options are::

    of          id of the job whose result was corrected
    labels      id of the image that labels or things are kept as until they are a result
    drawn       hash of what was sent
    who         who sent it
    comment     in their words
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from delineate.errors import NotFoundError, UploadError
from delineate.imaging import Grid, Image, LabelMap
from delineate.jobs.job import Job, jobs
from delineate.jobs.store import Store
from delineate.jobs.table import JobTable
from delineate.plugins import Monitor, Output

if TYPE_CHECKING:
    from delineate.delineation import Delineation

__all__ = ["CORRECTION", "Version", "drop_labels", "redone", "taken_in", "versions"]

CORRECTION = "correction"
"""Stands in the row of a correction where others have the id of their detector."""

_LABELS, _LABELS_KEPT_AS = "labels.seg.nrrd", "0001.nrrd"
_THINGS, _THINGS_KEPT_AS = "things.geojson", "0001.geojson"
_NUMBERED = ("nrrd", "nifti", "metaimage")


def taken_in(
    folder: str, name: str, result: str, comment: str, image: dict[str, Any]
) -> dict[str, Any]:
    """Look into labels or things that somebody sent; runs in a child process.

    Parameters
    ----------
    folder
        With the one file in ``parts``; gets ``files`` and ``names.json``, as an image has them.
    name
        What its sender calls it.
    result
        Folder of the result that it corrects.
    comment
        Checked, with the names of new structures, not to tell the patient's name where the service
        keeps none.
    image
        ``paths`` and ``series`` of what was corrected, and its ``tenant``.

    Returns
    -------
    dict
        What is kept as ``image.json``, but for its ``id``.

    Raises
    ------
    InputError
        If they may not take the place of the result's.
    """
    from delineate import formats
    from delineate.delineation import load_output
    from delineate.jobs.reidentify import demand_nameless
    from delineate.plugins import Instances

    (path,) = (Path(folder) / "parts").iterdir()
    document, found = load_output(Path(result))
    target = Path(folder) / "files"
    target.mkdir()
    if isinstance(found, Instances):
        kept, told = target / _THINGS_KEPT_AS, _THINGS
        names = _things(path, found.grid, document, kept)
    else:
        kept, told = target / _LABELS_KEPT_AS, _LABELS
        names = _labels(path, found, name, kept)
    demand_nameless([comment, *names], image["tenant"], image["paths"], image["series"])
    path.unlink()
    (Path(folder) / "names.json").write_text(json.dumps({kept.name: told}))
    report = formats.inspect([formats.Entry(kept, told, kept.name)]).to_json()
    return {
        "files": 1,
        "bytes": kept.stat().st_size,
        "reading": {"uneven": "refuse", "spacing_mm": None},
        "report": report,
    }


def _labels(path: Path, found: Output, name: str, kept: Path) -> set[str]:
    """Keep labels; their names."""
    from delineate.delineation import labels_from
    from delineate.formats import nrrd
    from delineate.formats.annotations import read_annotation
    from delineate.formats.layered import merged

    drawn = read_annotation(path)
    if drawn.format not in _NUMBERED:
        raise UploadError(
            f"expected labels as .seg.nrrd, NIfTI or MetaImage, whose numbers are those of the "
            f"result's structures, got {drawn.format}"
        )
    labels = labels_from(found, merged(drawn.layers, name))
    nrrd.write_labels([labels], kept)
    return {category.name for category in labels.categories.values()}


def _things(path: Path, grid: Grid, document: dict[str, Any], kept: Path) -> set[str]:
    """Keep things; their names."""
    from delineate.delineation import things_from
    from delineate.delineation.document import findings_from
    from delineate.formats import geojson
    from delineate.formats.annotations import read_annotation

    drawn = read_annotation(path, grid)
    if drawn.format != "geojson":
        raise UploadError(
            "expected things as GeoJSON, as the result is exported, with the numbers of those that "
            f"stay, got {drawn.format}"
        )
    if drawn.structures:
        raise UploadError(
            "expected things alone, as the result is exported, got outlines of areas as well; they "
            "cannot take the place of things"
        )
    marks = things_from(findings_from(document), drawn.marks, grid)
    geojson.write((), grid, kept, marks)
    return {mark.category.name for mark in marks}


def redone(job: Job, image: Image, table: JobTable, store: Store, monitor: Monitor) -> Delineation:
    """Make the result of a correction; ``image`` is what was corrected, read again.

    Raises
    ------
    NotFoundError
        If the result that was corrected, or what was kept, has been removed in the meantime.
    """
    from delineate.delineation import Corrector, corrected, corrected_things, load
    from delineate.formats import geojson, nrrd
    from delineate.plugins import Instances

    home, asked = store.of(job.tenant), job.options
    folder = home.attempt(table.get(asked["of"], tenant=job.tenant))
    before = load(folder, image)
    monitor.checkpoint()
    (path,) = home.image(asked["labels"]).files
    document = (folder / "delineation.json").read_bytes()
    by = Corrector(
        of=asked["of"],
        sha256=hashlib.sha256(document).hexdigest(),
        who=asked["who"],
        comment=asked["comment"],
    )
    if isinstance(before.output, Instances):
        return corrected_things(before, geojson.read_marks(path), by, monitor)
    kept = nrrd.read_labels(path)
    labels = LabelMap(kept.array, image.grid, kept.categories)
    return corrected(before, labels, by, monitor)


def drop_labels(job: Job, table: JobTable, store: Store) -> None:
    """Remove what the labels of a correction that is done were kept as; the result has them."""
    if job.detector != CORRECTION:
        return
    labels = job.options["labels"]
    if table.needing(job.tenant, labels) is None:
        with suppress(NotFoundError):
            store.of(job.tenant).remove_image(labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A result, or what will be one, and what it was made from.

    ``of`` is ``None`` for the one that a detector gave; its ``who`` and ``comment`` are empty.
    """

    job: str
    of: str | None
    state: str
    detector: str
    who: str
    comment: str
    created: str

    @classmethod
    def told(cls, job: Job) -> Version:
        """Of a job."""
        asked = job.options if job.detector == CORRECTION else {}
        return cls(
            job=job.id,
            of=asked.get("of"),
            state=job.state,
            detector=job.detector,
            who=asked.get("who", ""),
            comment=asked.get("comment", ""),
            created=job.created,
        )


def versions(database: sa.Engine, job: Job) -> Sequence[Version]:
    """All versions of a result, the oldest first: what it began with, and every correction.

    Where the first ones were removed, those that are left stay together.
    """
    same = sa.and_(
        jobs.c.tenant == job.tenant, jobs.c.image_id == job.image_id, jobs.c.series == job.series
    )
    with database.connect() as connection:
        near = [Job.of(row) for row in connection.execute(sa.select(jobs).where(same))]
    parents = {one.id: one.options["of"] for one in near if one.detector == CORRECTION}

    def first(name: str) -> str:
        while name in parents:
            name = parents[name]
        return name

    family = [one for one in near if first(one.id) == first(job.id)]
    return [Version.told(one) for one in sorted(family, key=lambda one: one.id)]
