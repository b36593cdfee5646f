"""The options on a delineate service elsewhere, and a run there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import Progress, TaskID

from delineate.cli.screen import errors
from delineate.errors import OptionError, UnknownDetectorError

if TYPE_CHECKING:
    from delineate.client import Client, RemoteImage, RemoteJob
    from delineate.delineation import Delineation
    from delineate.evaluation.pool import Scorer

__all__ = [
    "KeyFile",
    "Resume",
    "Server",
    "Workers",
    "connected",
    "found_there",
    "is_address",
    "key_of",
    "scorer_of",
    "values_there",
]

_VARIABLE = "DELINEATE_KEY"

Server = Annotated[
    str | None, typer.Option(help="Address of a delineate service that does the work.")
]
KeyFile = Annotated[
    Path | None,
    typer.Option(help=f"File with the API key of that service; by default that in {_VARIABLE}."),
]
Workers = Annotated[
    str | None,
    typer.Option(
        help="Processes, by default one for each core; or the address of a delineate service "
        "whose workers do the work; or ray or ray://HOST:PORT, a Ray cluster."
    ),
]
Resume = Annotated[
    str | None,
    typer.Option(help="With --server: id of an upload that broke off, as its error told it."),
]


def key_of(file: Path | None) -> str | None:
    """The key of a service: in a file, or in the environment; ``None`` if there is none."""
    key = file.read_text().strip() if file is not None else os.environ.get(_VARIABLE)
    return key or None


@contextmanager
def connected(server: str, key_file: Path | None) -> Iterator[Client]:
    """The service, for the time of a block."""
    from delineate.client import Client

    with Client(server, key_of(key_file)) as service:
        yield service


def is_address(workers: str | None) -> bool:
    """Whether ``--workers`` is the address of a service, and not a number.

    Raises
    ------
    OptionError
        If it is neither.
    """
    if workers is None or _on_ray(workers) or (workers.isdecimal() and int(workers) > 0):
        return False
    if not workers.startswith(("http://", "https://")):
        raise OptionError(
            f"--workers expects how many processes, the address of a delineate service such as "
            f"https://delineate.example, or ray, got {workers!r}"
        )
    return True


@contextmanager
def scorer_of(workers: str | None, key_file: Path | None) -> Iterator[Scorer]:
    """What scores cases: processes of this machine, the workers of a service, or a Ray cluster."""
    from delineate.evaluation.elsewhere import Elsewhere
    from delineate.evaluation.on_ray import OnRay
    from delineate.evaluation.pool import score_all

    def tell(text: str) -> None:
        errors.print(text, markup=False, highlight=False, soft_wrap=True)

    if workers is not None and _on_ray(workers):
        yield OnRay(None if workers == "ray" else workers, tell=tell)
        return
    if workers is None or not is_address(workers):
        yield partial(score_all, workers=None if workers is None else int(workers))
        return
    with connected(workers, key_file) as service:
        yield Elsewhere(service, tell=tell)


def _on_ray(workers: str) -> bool:
    return workers == "ray" or workers.startswith("ray://")


def found_there(
    service: Client,
    paths: list[Path],
    detector: str,
    options: Mapping[str, str],
    reading: Mapping[str, Any],
    series: str | None,
    modality: str | None,
    resume: str | None,
    progress: Progress,
    task: TaskID,
) -> Delineation:
    """What a service finds; an interruption cancels the job.

    Parameters
    ----------
    service
        The service.
    paths, detector, options
        What to send, and what is to be done with it.
    reading
        ``uneven`` and ``spacing_mm``, as for `delineate.read`.
    series, modality
        Which series, and what it is.
    resume
        An upload that broke off.
    progress, task
        The bar.
    """

    def uploaded(done: int, total: int) -> None:
        progress.update(task, completed=done / max(1, total), description="sending")

    values = values_there(service, detector, options)
    image: RemoteImage = service.upload(paths, progress=uploaded, resume=resume, **reading)
    job: RemoteJob = service.run(image, detector, values, series=series, modality=modality)
    try:
        for state in job.follow():
            stage = state.stage or state.state
            progress.update(task, completed=state.progress, description=stage)
        return job.delineation()
    except BaseException:  # Ctrl-C above all
        job.cancel()
        raise


def values_there(service: Client, detector: str, options: Mapping[str, str]) -> dict[str, Any]:
    """The options, with files sent where an option takes an image."""
    known = {one["id"]: one for one in service.detectors()}
    if detector not in known:
        raise UnknownDetectorError(
            f"the service has no detector {detector!r}, but {', '.join(sorted(known))}", detector
        )
    properties = known[detector]["options_schema"].get("properties", {})
    values: dict[str, Any] = dict(options)
    for name, value in options.items():
        if _takes_image(properties.get(name, {})):
            if not Path(value).exists():
                raise OptionError(f"--option {name} expects a file or folder, and {value} is none")
            values[name] = service.upload(value)
    return values


def _takes_image(entry: Mapping[str, Any]) -> bool:
    return any(one.get("format") == "image" for one in (entry, *entry.get("anyOf", ())))
