"""Labels that a person has corrected: a new result, measured and outlined as any other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from delineate.delineation.exports import layers_of
from delineate.delineation.findings import CUT, findings
from delineate.delineation.result import Change, Delineation, Finding
from delineate.delineation.version import LONGEST_NAME, NOTES, Corrector, Version
from delineate.errors import InputError
from delineate.formats.derived import Made
from delineate.imaging import Category, Image, LabelMap, place
from delineate.plugins import Detection, Monitor, Output

__all__ = ["corrected", "labels_from"]


def labels_from(found: Output, drawn: LabelMap) -> LabelMap:
    """The labels that are to take the place of what was found, on its grid.

    Parameters
    ----------
    found
        What is corrected: labels, or masks or a field that make one label map.
    drawn
        The labels that somebody drew. One without a name of its own (``"label 5"``) keeps that
        which it had; one that is called as before keeps code and side. Where none has a name, no
        structure is taken for deleted: those without a sample stay in the list.

    Raises
    ------
    InputError
        If structures of what was found overlap or it has no samples, if a new label has no name,
        if two have the same one, or if nothing was changed.
    GeometryError
        If the samples do not coincide.
    """
    before = _before(found)
    placed = place(drawn, before.grid)
    categories = {
        label: _named(label, category, before.categories.get(label))
        for label, category in placed.categories.items()
    }
    if all(one.name == _nameless(label) for label, one in placed.categories.items()):
        categories = {**before.categories, **categories}
    names = [category.name for category in categories.values()]
    if twice := {name for name in names if names.count(name) > 1}:
        raise InputError(
            f"expected a name of its own for each structure, got {min(twice)[:LONGEST_NAME]!r} "
            "twice; call one of them otherwise"
        )
    labels = LabelMap(placed.array, before.grid, dict(sorted(categories.items())))
    if not _changes(before, labels, None):
        raise InputError(
            "expected labels that differ from those of the result, got the same; there is nothing "
            "to keep as a new version"
        )
    return labels


def corrected(
    before: Delineation, labels: LabelMap, by: Corrector, monitor: Monitor | None = None
) -> Delineation:
    """Make a result of labels that somebody has corrected.

    Measurements and outlines come by the same road as a detector's. Structures that were left
    alone keep what the detector knew of them, its score among it; the others lose it, for it is no
    longer about them.

    Parameters
    ----------
    before
        The result that was corrected; stays as it is.
    labels
        As :func:`labels_from` gives them.
    by
        Who did it.
    monitor
        Is told the progress and may cancel.
    """
    monitor = monitor if monitor is not None else Monitor()
    version = Version(before, by)
    image, last = before.image, before.provenance.correction
    old = _before(before.output)
    changes = _changes(old, labels, _millilitres(image))
    made = _making(changes, last.made if last else {}, labels)
    touched = {change.id for change in changes if change.what != "renamed"}
    kept = {one.id: one for one in before.findings if one.id not in touched}
    detection = Detection(
        labels,
        scores={n: one.score for n, one in kept.items() if one.score is not None},
        notes={n: _notes(n, kept.get(n), made) for n in labels.categories},
        measurements={n: dict(one.measurements) for n, one in kept.items()},
    )
    monitor.checkpoint()
    found = findings(detection, image, lambda part: monitor.progress(part, "outlining"))
    return version.made(labels, found, changes, made, {})


def _before(found: Output) -> LabelMap:
    held = layers_of(found)
    if len(held) != 1:
        what = "structures that overlap" if held else "no labels"
        raise InputError(
            f"expected a result that one label map holds, got {what}; only such results can be "
            "corrected"
        )
    return held[0]


def _named(label: int, category: Category, old: Category | None) -> Category:
    if category.name == _nameless(label):
        if old is None:
            raise InputError(
                f"label {label} is new and has no name; name it in the file, as .seg.nrrd and "
                "delineate's NIfTI do"
            )
        return old
    if len(category.name) > LONGEST_NAME:
        raise InputError(
            f"expected names of at most {LONGEST_NAME} letters, that of label {label} has "
            f"{len(category.name)}"
        )
    if old is None or _plain(old.name) != _plain(category.name):
        return category
    return old if old.colour == category.colour else replace(old, colour=category.colour)


def _nameless(label: int) -> str:
    """What readers call a label that a file has no name for."""
    return f"label {label}"


def _plain(name: str) -> str:
    """As files keep names: one line, and no blanks but between words."""
    return " ".join(name.split())


def _millilitres(image: Image) -> float | None:
    """Of one sample; a picture has no depth, also where its scale is known."""
    solid = image.grid.unit == "mm" and image.modality != "photo"
    return image.grid.voxel_size / 1000 if solid else None


def _changes(old: LabelMap, new: LabelMap, sample_ml: float | None) -> tuple[Change, ...]:
    """What differs, by number."""
    added, removed = _gained_and_lost(old.array, new.array)

    def volume(samples: int) -> float | None:
        return None if sample_ml is None else float(f"{samples * sample_ml:.7g}")

    changes = []
    for number in sorted({*old.categories, *new.categories, *np.flatnonzero(added + removed)}):
        gained, lost = int(added[number]), int(removed[number])
        was, now = old.categories.get(number), new.categories.get(number)
        what: Literal["drawn", "changed", "renamed", "deleted"]
        if now is None:
            what = "deleted"
        elif was is None:
            what = "drawn"
        elif gained or lost:
            what = "changed"
        elif was != now:
            what = "renamed"
        else:
            continue
        changes.append(
            Change(
                id=int(number),
                name=(now or was or Category(_nameless(number))).name,
                what=what,
                added=gained,
                removed=lost,
                added_ml=volume(gained),
                removed_ml=volume(lost),
            )
        )
    return tuple(changes)


def _gained_and_lost(old: NDArray[Any], new: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """How many samples each label gained and lost; slice by slice, for the memory's sake."""
    size = max(int(old.max(initial=0)), int(new.max(initial=0)), 65535) + 1
    gained, lost = np.zeros(size, np.int64), np.zeros(size, np.int64)
    for was, now in zip(old, new, strict=True):
        differs = was != now
        if differs.any():
            gained += np.bincount(now[differs], minlength=size)
            lost += np.bincount(was[differs], minlength=size)
    gained[0] = lost[0] = 0
    return gained, lost


def _making(
    changes: tuple[Change, ...], before: Mapping[int, Made], labels: LabelMap
) -> dict[int, Made]:
    """How the structures came about that people had a part in."""
    made = dict(before)
    for change in changes:
        if change.what == "drawn":
            made[change.id] = "manual"
        elif change.what == "changed":
            made.setdefault(change.id, "semiautomatic")
    return {number: how for number, how in made.items() if number in labels.categories}


def _notes(number: int, kept: Finding | None, made: Mapping[int, Made]) -> tuple[str, ...]:
    known = () if kept is None else tuple(note for note in kept.notes if note != CUT)
    said = NOTES.get(made.get(number, "automatic"))
    return known if said is None or said in known else (*known, said)
