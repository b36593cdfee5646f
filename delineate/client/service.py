"""A delineate service, as Python sees it."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from delineate.client.evaluation import RemoteEvaluation
from delineate.client.faults import ServiceFaults
from delineate.client.image import RemoteImage
from delineate.client.job import RemoteJob
from delineate.client.sending import Progress, sent
from delineate.client.transport import Server, Session, stays_secret
from delineate.errors import AccessError
from delineate.plugins import Monitor

__all__ = ["Client"]


class Client:
    """A delineate service; use it in a ``with`` block.

    Errors are those that the library raises; `RemoteError` is what the service is to blame for.
    What breaks on the way is tried again where that does no harm.

    Parameters
    ----------
    url
        Address of the service, such as ``"https://delineate.example"``.
    key
        Its API key, if it wants one; goes over HTTPS, or to this machine.
    monitor
        May cancel in the midst of any call.
    seconds
        Longest time for an answer.

    Raises
    ------
    AccessError
        If the key would travel for all to read.
    MissingExtraError
        If httpx is not installed.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        monitor: Monitor | None = None,
        seconds: float = 600.0,
    ) -> None:
        if key is not None and not stays_secret(url):
            raise AccessError(
                f"the key is not sent to {url}, where everybody on the way could read it; use https"
            )
        self._server = Server(url, ServiceFaults(), key, seconds)
        self._monitor = monitor
        self._open = ExitStack()
        self._session: Session | None = None

    def __enter__(self) -> Self:
        self._session = self._open.enter_context(self._server.session(self._monitor))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._session = None
        self._open.close()

    @property
    def session(self) -> Session:
        """The connections, inside the ``with`` block."""
        if self._session is None:
            raise RuntimeError("a client is used in a with block: with Client(url) as service: ...")
        return self._session

    def health(self) -> dict[str, Any]:
        """Whether the service runs, its version, how many workers live."""
        found: dict[str, Any] = self.session.json("GET", "/healthz", again=True)
        return found

    def detectors(self) -> list[dict[str, Any]]:
        """What is installed there, each with the JSON schema of its options."""
        found: list[dict[str, Any]] = self.session.json("GET", "/v1/detectors", again=True)
        return found

    def upload(
        self,
        paths: Path | str | Iterable[Path | str],
        *,
        uneven: str = "refuse",
        spacing_mm: float | Iterable[float] | None = None,
        progress: Progress = lambda done, total: None,
        resume: str | None = None,
    ) -> RemoteImage:
        """Send an image, file by file.

        Parameters
        ----------
        paths
            A folder, a zip, or one or more files.
        uneven, spacing_mm
            How it is to be read, as for `delineate.read`.
        progress
            Called with the bytes that are there and all there are, from another thread.
        resume
            Id of an upload that broke off, which the error told: what it holds is not sent again.
        """
        given = [Path(paths)] if isinstance(paths, str | Path) else [Path(one) for one in paths]
        sizes = [spacing_mm] if isinstance(spacing_mm, int | float) else spacing_mm
        reading = {"uneven": uneven}
        if sizes is not None:
            reading["spacing_mm"] = ",".join(f"{one:g}" for one in sizes)
        document = sent(self.session, _named(given), reading, None, progress, resume)
        return RemoteImage(self.session, document["image"], given)

    def image(self, image_id: str) -> RemoteImage:
        """The image of that id."""
        document = self.session.json("GET", f"/v1/images/{image_id}", again=True)
        return RemoteImage(self.session, document)

    def images(self) -> Iterator[dict[str, Any]]:
        """What is kept there, in short, in the order of the ids."""
        return self._pages("/v1/images", "images", {})

    def run(
        self,
        image: RemoteImage | str,
        detector: str,
        options: Mapping[str, Any] | None = None,
        *,
        series: str | None = None,
        modality: str | None = None,
        queue: str | None = None,
        priority: int = 5,
        key: str | None = None,
    ) -> RemoteJob:
        """Start a job.

        Parameters
        ----------
        image
            Or its id.
        detector
            Id of one that is installed there.
        options
            Values by name; an option that names another image takes a `RemoteImage`.
        series
            Which one, where the image has several.
        modality
            What it is, where its files do not say it.
        queue, priority
            Which workers do it, and how soon: 0 to 9.
        key
            The same request with the same key is the same job; by default a new one.
        """
        known = image if isinstance(image, RemoteImage) else self.image(image)
        told = {
            name: value.id if isinstance(value, RemoteImage) else value
            for name, value in (options or {}).items()
        }
        asked = {
            "image_id": known.id,
            "detector": detector,
            "options": told,
            "series": series,
            "modality": modality,
            "queue": queue,
            "priority": priority,
        }
        headers = {"Idempotency-Key": key or secrets.token_hex(16)}
        document = self.session.json("POST", "/v1/jobs", json=asked, headers=headers, again=True)
        return RemoteJob(self.session, document, known)

    def job(self, job_id: str) -> RemoteJob:
        """The job of that id."""
        return RemoteJob(self.session, self.session.json("GET", f"/v1/jobs/{job_id}", again=True))

    def jobs(self, state: str | None = None) -> Iterator[dict[str, Any]]:
        """The jobs, the newest first; ``state``: those in that one only."""
        return self._pages("/v1/jobs", "jobs", {"state": state} if state else {})

    def evaluate(
        self, pairs: Iterable[Mapping[str, Any]], *, key: str | None = None, **how: Any
    ) -> RemoteEvaluation:
        """Have results scored against references.

        Parameters
        ----------
        pairs
            ``case``, a name of its own; ``prediction``, a job or its id; maybe ``reference``, by
            default the newest on the same series; see ``docs/rest.md``.
        key
            The same request with the same key is the same evaluation; by default a new one.
        **how
            ``metrics``, ``tolerance_mm`` and others, as ``POST /v1/evaluations`` has them.
        """
        told = [
            {name: one.id if isinstance(one, RemoteJob) else one for name, one in pair.items()}
            for pair in pairs
        ]
        document = self.session.json(
            "POST",
            "/v1/evaluations",
            json={"pairs": told, **how},
            headers={"Idempotency-Key": key or secrets.token_hex(16)},
            again=True,
        )
        return RemoteEvaluation(self.session, document)

    def evaluation(self, evaluation_id: str) -> RemoteEvaluation:
        """The evaluation of that id."""
        document = self.session.json("GET", f"/v1/evaluations/{evaluation_id}", again=True)
        return RemoteEvaluation(self.session, document)

    def evaluations(self) -> Iterator[dict[str, Any]]:
        """The evaluations, the newest first."""
        return self._pages("/v1/evaluations", "evaluations", {})

    def _pages(self, path: str, name: str, asked: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        after: dict[str, str] = {}
        while True:
            page = self.session.json("GET", path, params={**asked, **after}, again=True)
            yield from page[name]
            if page["next"] is None:
                return
            after = {"after": page["next"]}


def _named(given: list[Path]) -> Iterator[tuple[Path, str]]:
    """All files, and what the service is told that they are called."""
    for path in given:
        if not path.exists():
            raise FileNotFoundError(f"there is no file or folder {path}")
        if path.is_dir():
            for one in sorted(path.rglob("*")):
                if one.is_file():
                    yield one, one.relative_to(path).as_posix()
        else:
            yield path, path.name
