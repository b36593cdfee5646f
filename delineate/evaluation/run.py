"""The one use case: predictions are scored against references, case by case."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from delineate.evaluation.case import Case, Rules, Scored
from delineate.evaluation.columns import Columns, columns_of, unified
from delineate.evaluation.gate import Failing, Requirement, failing
from delineate.evaluation.keeping import kept_files
from delineate.evaluation.label_tables import read_table
from delineate.evaluation.pairs import Cases, cases_of, grouped
from delineate.evaluation.pool import Scorer, score_all

__all__ = ["Evaluation", "evaluate", "evaluate_cases"]

KEPT = "cases"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Evaluation:
    """Scores of all cases.

    Parameters
    ----------
    title, reference_title, other_title
        What was scored, against what, and what it was compared with (empty if nothing).
    cases
        Which cases, and what had no partner.
    rules
        How they were scored.
    scored
        In the order of the cases.
    columns
        The same as one matrix.
    other, other_columns
        Of what it was compared with, for the same cases.
    requirements, failing
        What was required, and the rows that fail.
    """

    title: str
    reference_title: str
    cases: Cases
    rules: Rules
    scored: tuple[Scored, ...]
    columns: Columns
    other_title: str = ""
    other: tuple[Scored, ...] = ()
    other_columns: Columns | None = None
    requirements: tuple[Requirement, ...] = ()
    failing: tuple[Failing, ...] = ()

    @property
    def failed(self) -> tuple[Scored, ...]:
        """Cases that could not be scored, those of the comparison too."""
        return tuple(one for one in (*self.scored, *self.other) if one.error)


def evaluate(
    prediction: Path | str,
    reference: Path | str | None = None,
    *,
    out: Path | str | None = None,
    rules: Rules | None = None,
    images: Path | str | None = None,
    labels: Path | str | None = None,
    prediction_labels: Path | str | None = None,
    groups: Mapping[str, Path | str] | None = None,
    compare: Path | str | None = None,
    require: Sequence[str] = (),
    strict: bool = False,
    why_missing: Mapping[str, str] | None = None,
    workers: int | None = None,
    scorer: Scorer | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Evaluation:
    """Score predictions against references.

    Parameters
    ----------
    prediction, reference
        Folders (one file or folder a case, nnU-Net, Medical Segmentation Decathlon, BIDS
        derivatives, results of ``delineate run``), two files, or a CSV manifest alone.
    out
        Folder in which the scores of each case are kept, so that a run that was killed goes on
        where it was; `write_report` puts the tables and the page there.
    rules
        Metrics, tolerances and what to do about what does not match.
    images
        Folder of images by case, for the pictures.
    labels, prediction_labels
        Tables of labels in place of those beside label maps; the first is for both sides.
    groups
        A CSV with a column ``case`` and this column, by column.
    compare
        Other predictions of the same cases.
    require
        Such as ``"liver.dice>=0.95"``.
    strict
        Whether a case without a partner is refused.
    why_missing
        Why a case has no prediction, where that is known.
    workers
        Processes; ``None``: one for each core.
    scorer
        Scores the cases instead of processes on this machine, such as
        :class:`~delineate.evaluation.elsewhere.Elsewhere`; what comes of it is the same.
    progress
        Is told how many cases of how many are done.

    Returns
    -------
    Evaluation
        A case that fails is in it with its cause; only what concerns all of them raises.

    Raises
    ------
    InputError
        If there is nothing to score, or an option makes no sense.
    """
    find = _finder(reference, images, labels, prediction_labels, strict)
    rules, requirements = rules or Rules(), tuple(Requirement.parse(text) for text in require)
    cases = grouped(find(Path(prediction)), {c: Path(p) for c, p in (groups or {}).items()})
    titles = _titles(Path(prediction), Path(compare) if compare is not None else None)
    return evaluate_cases(
        cases,
        title=titles[0],
        reference_title=Path(reference or prediction).absolute().name,
        out=out,
        rules=rules,
        others=find(Path(compare)) if compare is not None else None,
        other_title=titles[1],
        requirements=requirements,
        why_missing=why_missing,
        scorer=scorer or partial(score_all, workers=workers),
        progress=progress,
    )


def evaluate_cases(
    cases: Cases,
    *,
    title: str,
    reference_title: str,
    out: Path | str | None = None,
    rules: Rules | None = None,
    others: Cases | None = None,
    other_title: str = "",
    requirements: Sequence[Requirement] = (),
    why_missing: Mapping[str, str] | None = None,
    scorer: Scorer = score_all,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Evaluation:
    """As `evaluate`, of cases that are known.

    Parameters
    ----------
    cases, others
        What is scored, and what it is compared with.
    title, reference_title, other_title
        What the report calls them.
    out, rules, why_missing, scorer, progress
        As for `evaluate`.
    requirements
        What is required.
    """
    rules, folder = rules or Rules(), None
    if out is not None:
        folder = Path(out) / KEPT
        folder.mkdir(parents=True, exist_ok=True)
    total, done = len(cases.cases) + (len(others.cases) if others else 0), 0

    def more(count: int) -> None:
        nonlocal done
        done += count
        progress(done, total)

    progress(0, total)
    first = scorer(cases.cases, rules, folder, more)
    second = scorer(others.cases, rules, folder, more) if others else []
    if folder is not None:
        _clear(folder, (first, cases.cases), (second, others.cases if others else ()), rules)
    why = why_missing or {}
    first = [
        replace(one, notes=(*one.notes, why[one.case])) if one.case in why else one for one in first
    ]
    renamed = unified([*first, *second])
    first, second = renamed[: len(first)], renamed[len(first) :]
    columns = columns_of(first)
    return Evaluation(
        title=title,
        reference_title=reference_title,
        cases=cases,
        rules=rules,
        scored=tuple(first),
        columns=columns,
        other_title=other_title,
        other=tuple(second),
        other_columns=columns_of(second) if others else None,
        requirements=tuple(requirements),
        failing=tuple(failing(requirements, columns, [one.case for one in first if one.error])),
    )


def _finder(
    reference: Path | str | None,
    images: Path | str | None,
    labels: Path | str | None,
    prediction_labels: Path | str | None,
    strict: bool,
) -> Callable[[Path], Cases]:
    tables = [read_table(Path(path)) if path else None for path in (labels, prediction_labels)]
    return lambda prediction: cases_of(
        prediction,
        None if reference is None else Path(reference),
        images=None if images is None else Path(images),
        table=tables[0],
        prediction_table=tables[1],
        strict=strict,
    )


def _titles(prediction: Path, other: Path | None) -> tuple[str, str]:
    """Names of folders, with their parents' as far as they are needed to tell them apart."""
    if other is None:
        return prediction.absolute().name, ""
    one, two = prediction.absolute().parts, other.absolute().parts
    depth = 1
    while one[-depth:] == two[-depth:] and depth < max(len(one), len(two)):
        depth += 1
    return "/".join(one[-depth:]), "/".join(two[-depth:])


def _clear(
    folder: Path,
    first: tuple[Sequence[Scored], Sequence[Case]],
    second: tuple[Sequence[Scored], Sequence[Case]],
    rules: Rules,
) -> None:
    """Remove what is kept of other inputs or rules: the folder depends on this run alone."""
    needed: set[str] = set()
    for scored, cases in (first, second):
        needed |= kept_files(scored, {one.name: one for one in cases}, rules)
    for path in folder.iterdir():
        if path.name not in needed and path.suffix in (".json", ".part"):
            path.unlink()
