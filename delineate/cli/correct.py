"""``delineate correct``: a result of a service, corrected in another program, as a new version."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from delineate.cli.remote import KeyFile, connected
from delineate.cli.screen import findings_table, output

__all__ = ["correct"]


def correct(
    job: Annotated[str, typer.Argument(help="Id of the job whose result was corrected.")],
    labels: Annotated[
        Path,
        typer.Argument(
            help="The labels as they are to be, on the samples of the image: .seg.nrrd, NIfTI or "
            "MetaImage."
        ),
    ],
    server: Annotated[str, typer.Option(help="Address of the delineate service that has it.")],
    comment: Annotated[str, typer.Option(help="What was changed, and why.")] = "",
    key_file: KeyFile = None,
) -> None:
    """Make another version of a result; the one that is corrected stays as it is."""
    with connected(server, key_file) as service:
        new = service.job(job).correct(labels, comment)
        document = new.result()
        output.print(findings_table(document["findings"], document["detector"]["title"]))
        output.print(f"{new.id} is version {len(new.versions())}", markup=False, highlight=False)
