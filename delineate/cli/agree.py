"""``delineate agree``: how far raters agree, and what they most likely mean."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from delineate.cli.evaluate import Renamed, Resample, counter, pairs_of
from delineate.cli.screen import output
from delineate.errors import OptionError
from delineate.evaluation.case import Rules
from delineate.evaluation.keeping import write_whole
from delineate.evaluation.page_agreement import agreement_page
from delineate.evaluation.raters import Agreed, agreement
from delineate.formats.measurements import text

__all__ = ["agree"]

_ENDS = ("", "_low", "_high")
COLUMNS = ("structure", "measure", "raters", "value", "cases")


def agree(
    rater: Annotated[
        list[Path], typer.Argument(help="Folder of each rater, two or more; named by its folder.")
    ],
    out: Annotated[Path, typer.Option(help="The table to write, a .csv.")],
    report: Annotated[
        Path | None, typer.Option(help="A page to write as well, an .html that needs nothing else.")
    ] = None,
    consensus: Annotated[
        Path | None, typer.Option(help="Folder for the consensus (STAPLE) of each case.")
    ] = None,
    renamed: Renamed = None,
    resample: Resample = False,
) -> None:
    """Compare two and more raters of the same cases, structure by structure."""
    raters = {path.absolute().name: path for path in rater}
    if len(raters) < len(rater):
        raise OptionError("two raters' folders have one name; rename one, it tells them apart")
    if out.suffix.lower() != ".csv":
        raise OptionError(f"expected --out to end in .csv, got {out.name}")
    if report is not None and report.suffix.lower() != ".html":
        raise OptionError(f"expected --report to end in .html, got {report.name}")
    rules = Rules(renamed=pairs_of(renamed, "--map"), resample=resample)
    with counter("comparing") as progress:
        found = agreement(raters, rules, keep=consensus, progress=progress)
    held = io.StringIO()
    writer = csv.writer(held)
    writer.writerow(COLUMNS)
    for one in found:
        writer.writerows([text(cell) for cell in row] for row in _rows(one))
    write_whole(out, held.getvalue().encode("utf-8", "backslashreplace"))
    if report is not None:
        page = agreement_page(found, list(raters))
        write_whole(report, page.encode("utf-8", "backslashreplace"))
    output.print(_table(found))
    for path in filter(None, (out, report)):
        output.print(str(path), markup=False, highlight=False, soft_wrap=True)


def _rows(one: Agreed) -> list[tuple[str, str, str, float | None, int]]:
    rows: list[tuple[str, str, str, float | None, int]] = [
        (one.structure, f"dice{end}", " / ".join(pair), value, one.cases)
        for pair, mean in one.dice.items()
        for end, value in zip(_ENDS, (mean, *one.dice_interval[pair]), strict=True)
    ]
    rows += [
        (one.structure, f"kappa{end}", "all", value, one.cases)
        for end, value in zip(_ENDS, (one.kappa, *one.kappa_interval), strict=True)
    ]
    if one.volumes is not None:
        icc = (one.volumes.value, one.volumes.low, one.volumes.high)
        rows += [
            (one.structure, f"icc{end}", "all", value, one.volumes.cases)
            for end, value in zip(_ENDS, icc, strict=True)
        ]
    for rater, (sensitivity, specificity) in one.quality.items():
        rows.append((one.structure, "sensitivity", rater, sensitivity, one.cases))
        rows.append((one.structure, "specificity", rater, specificity, one.cases))
    return rows


def _table(found: tuple[Agreed, ...]) -> Table:
    table = Table(title="agreement", title_justify="left")
    table.add_column("structure")
    for name in ("cases", "least Dice", "mean Dice", "kappa", "ICC of volumes"):
        table.add_column(name, justify="right")
    for one in found:
        values = list(one.dice.values())
        table.add_row(
            one.structure,
            str(one.cases),
            f"{min(values):.3f}",
            f"{sum(values) / len(values):.3f}",
            f"{one.kappa:.3f}",
            "-" if one.volumes is None else f"{one.volumes.value:.3f}",
        )
    return table
