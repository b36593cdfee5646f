"""Which prediction belongs to which reference: the cases of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from delineate.errors import InputError, OptionError
from delineate.evaluation.case import Case, Table
from delineate.evaluation.layouts import ONE, Found, find, find_images
from delineate.evaluation.manifest import read_column, read_manifest

__all__ = ["Cases", "cases_of", "grouped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cases:
    """The cases of an evaluation, and what has no partner.

    Parameters
    ----------
    cases
        In the order of their names; those without a prediction among them.
    without_prediction, without_reference
        Names. What has no reference cannot be scored.
    layouts
        What was recognised of predictions and references.
    """

    cases: tuple[Case, ...]
    without_prediction: tuple[str, ...] = ()
    without_reference: tuple[str, ...] = ()
    layouts: tuple[str, str]


def cases_of(
    prediction: Path,
    reference: Path | None = None,
    *,
    images: Path | None = None,
    table: Table | None = None,
    prediction_table: Table | None = None,
    strict: bool = False,
) -> Cases:
    """Pair what lies in two folders, by the names of cases.

    Parameters
    ----------
    prediction, reference
        Files or folders as `layouts.find` knows them. Without a reference, ``prediction`` is a CSV
        manifest.
    images
        Folder of images by the same names; by default those of the reference's data set.
    table, prediction_table
        Labels by name, in place of tables that lie beside label maps. The first is for both
        sides.
    strict
        Whether a case without a partner is refused.

    Raises
    ------
    InputError
        If no name is on both sides, or one has no partner and ``strict`` is set.
    FileNotFoundError
        If a path does not exist.
    """
    groups: Mapping[str, Mapping[str, str]] = {}
    if reference is None:
        if prediction.suffix.lower() != ".csv" or not prediction.is_file():
            raise OptionError(
                f"expected a folder of references beside {prediction.name}, or a CSV manifest alone"
            )
        listed = read_manifest(prediction)
        ours, theirs, groups = listed.found("reference"), listed.found("prediction"), listed.groups
    else:
        ours, theirs = find(reference), find(prediction)
        if ours.layout == theirs.layout == ONE:
            theirs = _called(theirs, next(iter(ours.paths)))
    both = ours.paths.keys() & theirs.paths.keys()
    if not both:
        raise InputError(_no_pair(ours, theirs))
    known = {**ours.images, **(find_images(images) if images else {})}
    missing = tuple(name for name in ours.paths if name not in both)
    extra = tuple(name for name in theirs.paths if name not in both)
    if strict and (missing or extra):
        raise InputError(
            f"cases without a prediction: {_some(missing)}; without a reference: {_some(extra)}; "
            "add the files, or leave out --strict"
        )
    return Cases(
        cases=tuple(
            Case(
                name=name,
                reference=path,
                prediction=theirs.paths.get(name),
                image=known.get(name),
                reference_table=table or ours.tables.get(name),
                prediction_table=prediction_table or table or theirs.tables.get(name),
                groups=groups.get(name, {}),
            )
            for name, path in sorted(ours.paths.items())
        ),
        without_prediction=missing,
        without_reference=extra,
        layouts=(theirs.layout, ours.layout),
    )


def grouped(cases: Cases, columns: Mapping[str, Path]) -> Cases:
    """The same with group columns out of CSV files that have a column ``case``.

    Raises
    ------
    InputError
        If a CSV names none of the cases.
    UnreadableFileError
        If it lacks a column.
    """
    values = {column: read_column(path, column) for column, path in columns.items()}
    names = {one.name for one in cases.cases}
    for column, known in values.items():
        if not names & known.keys():
            raise InputError(
                f"{columns[column].name} names none of the cases; it has {_some(tuple(known))}, "
                f"the cases are {_some(tuple(sorted(names)))}"
            )
    return replace(
        cases,
        cases=tuple(
            replace(
                one,
                groups={
                    **one.groups,
                    **{column: known.get(one.name, "") for column, known in values.items()},
                },
            )
            for one in cases.cases
        ),
    )


def _called(found: Found, name: str) -> Found:
    """The only case under another name."""
    (old, path), *_ = found.paths.items()
    tables = {name: found.tables[old]} if old in found.tables else {}
    return replace(found, paths={name: path}, tables=tables)


def _no_pair(ours: Found, theirs: Found) -> str:
    return (
        f"no case is on both sides: references are called {_some(tuple(ours.paths))} "
        f"({ours.layout}), predictions {_some(tuple(theirs.paths))} ({theirs.layout}); name them "
        "alike, or list the pairs in a CSV with columns case,prediction,reference"
    )


def _some(names: Sequence[str]) -> str:
    if not names:
        return "none"
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
