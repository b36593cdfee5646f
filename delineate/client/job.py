"""A job of a service: followed, cancelled, its result fetched."""

from __future__ import annotations

import json
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from delineate import errors
from delineate.client.faults import told_error
from delineate.client.image import RemoteImage
from delineate.client.transport import SMALL, Session
from delineate.errors import Cancelled, DelineateError, DetectorError

if TYPE_CHECKING:
    from delineate.delineation import Delineation
    from delineate.imaging import LabelMap

__all__ = ["JobState", "RemoteJob"]

_LARGEST = 64 << 30
_LOOK_SECONDS = 0.1
_PAUSE_SECONDS = 0.5


class JobState:
    """How a job stands; see ``docs/rest.md``."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self.state: str = document["state"]
        self.stage: str = document["stage"]
        self.progress: float = document["progress"]

    def __repr__(self) -> str:
        return f"JobState({self.state}, {self.stage!r}, {self.progress:.0%})"

    @property
    def ended(self) -> bool:
        """Whether nothing about it changes any more."""
        return self.state not in ("queued", "running")


class RemoteJob:
    """A job of a service.

    Parameters
    ----------
    session
        With the service.
    document
        As ``GET /v1/jobs/ID`` answers it.
    image
        What it looks at, where that is known.
    """

    def __init__(
        self, session: Session, document: Mapping[str, Any], image: RemoteImage | None = None
    ) -> None:
        self._session, self._image = session, image
        self.id = str(document["id"])
        self.document = document
        self._where = f"/v1/jobs/{self.id}"

    def __repr__(self) -> str:
        return f"RemoteJob({self.id})"

    def state(self) -> JobState:
        """How it stands now."""
        self.document = self._session.json("GET", self._where, again=True)
        return JobState(self.document)

    def follow(self) -> Iterator[JobState]:
        """How it stands, now and after every change, until it has ended.

        A connection that breaks is made again.
        """
        last: JobState | None = None
        while last is None or not last.ended:
            try:
                for document in self._events():
                    if last is None or document != last.document:
                        self.document, last = document, JobState(document)
                        yield last
            except errors.RemoteError:
                last = self.state()  # raises where the service is gone for good
                yield last
                self._session.pause(_PAUSE_SECONDS)

    def wait(self) -> JobState:
        """Wait until it is done.

        Raises
        ------
        DelineateError
            As the detector or the framework raised it, if it failed.
        Cancelled
            If it was cancelled.
        """
        state = JobState(self.document)
        for latest in self.follow():
            state = latest
        return self._demand_done(state)

    def cancel(self) -> None:
        """Ask it to stop; whether it had ended before does not matter."""
        try:
            self._session.request("DELETE", self._where, limit=SMALL)
        except errors.ConflictError:
            return

    def retry(self) -> RemoteJob:
        """Once more, as a new job, if it failed or was cancelled."""
        document = self._session.json("POST", f"{self._where}/retry", again=True)
        return RemoteJob(self._session, document, self._image)

    def correct(self, labels: LabelMap | Path | str, comment: str = "") -> RemoteJob:
        """Make another version of the result, which stays as it is.

        Parameters
        ----------
        labels
            On the samples of the image, numbered as the findings; or a file of such labels
            (``.seg.nrrd``, NIfTI, MetaImage). Of things: GeoJSON as the result is exported, with
            some left out, added or changed.
        comment
            What was changed, and why.

        Returns
        -------
        RemoteJob
            Of the new version; `versions` lists all.
        """
        with tempfile.TemporaryDirectory(prefix="delineate-") as scratch:
            path = labels if isinstance(labels, Path | str) else _written(labels, Path(scratch))
            sent = {"labels": (Path(path).name, Path(path).read_bytes())}
        document = self._session.json(
            "POST",
            f"{self._where}/corrections",
            files=sent,
            data={"comment": comment},
            headers={"Idempotency-Key": secrets.token_hex(16)},
            again=True,
        )
        return RemoteJob(self._session, document, self._image)

    def versions(self) -> list[dict[str, Any]]:
        """What the result began with and every correction, the oldest first."""
        told = self._session.json("GET", f"{self._where}/corrections", again=True)
        found: list[dict[str, Any]] = told["versions"]
        return found

    def result(self) -> dict[str, Any]:
        """What was found, as JSON: the document of ``docs/rest.md``."""
        self.wait()
        found: dict[str, Any] = self._session.json(
            "GET", f"{self._where}/result", limit=_LARGEST, again=True
        )
        return found

    def delineation(self) -> Delineation:
        """What was found, just as the library gives it; waits until it is there.

        All exports can be made of it here. The image is read from the files that were sent, or
        from the service's.
        """
        from delineate import delineation

        self.wait()
        asked = self.document
        image = self._image
        if image is None:
            document = self._session.json("GET", f"/v1/images/{asked['image_id']}", again=True)
            image = RemoteImage(self._session, document)
        read = image.read(asked["series"], asked["modality"])
        with tempfile.TemporaryDirectory(prefix="delineate-") as scratch:
            folder = Path(scratch)
            for name in delineation.KEPT:
                self._fetch(f"{self._where}/kept/{name}", folder / name)
            return delineation.load(folder, read)

    def exports(self) -> list[dict[str, str]]:
        """The formats that the service gives the result in."""
        self.wait()
        offered: list[dict[str, str]] = self._session.json(
            "GET", f"{self._where}/exports", again=True
        )
        return offered

    def download(self, format: str, folder: Path | str, **drawn: Any) -> Path:  # noqa: A002
        """Fetch the result as a file that the service makes.

        Parameters
        ----------
        format
            Such as ``"rtstruct"``; see `exports`.
        folder
            Made where it is missing; a file of the same name is replaced.
        **drawn
            ``contours``, ``smooth_mm``, ``simplify_mm``, ``holes``, ``segments``.
        """
        self.wait()
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetching-", dir=folder) as scratch:
            partial = Path(scratch) / "file"
            address = f"{self._where}/exports/{quote(format, safe='')}"
            answer = self._session.request(
                "GET", address, limit=_LARGEST, again=True, unhurried=True, to=partial, params=drawn
            )
            return partial.replace(folder / _file_name(answer.headers, self.id, format))

    def _fetch(self, address: str, to: Path) -> None:
        try:
            self._session.request("GET", address, limit=_LARGEST, again=True, unhurried=True, to=to)
        except errors.NotFoundError:  # results of some kinds have no samples
            return

    def _demand_done(self, state: JobState) -> JobState:
        if state.state == "done":
            return state
        if state.state == "cancelled":
            raise Cancelled(f"job {self.id} was cancelled")
        error = state.document["error"] or {"code": "", "message": f"the job is {state.state}"}
        kind = getattr(errors, error["code"], None)
        if not (isinstance(kind, type) and issubclass(kind, DelineateError)):
            kind = DetectorError
        raise told_error(kind, error["message"])

    def _events(self) -> Iterator[dict[str, Any]]:
        """Documents of the stream; it is read in the session's thread."""
        come: SimpleQueue[str | None] = SimpleQueue()

        async def tell(data: str) -> None:
            come.put(data)

        with self._session.started(self._session.events(f"{self._where}/events", tell)) as work:
            while not (work.done() and come.empty()):
                self._session.monitor.checkpoint()
                try:
                    data = come.get(timeout=_LOOK_SECONDS)
                except Empty:
                    continue
                if data:
                    yield json.loads(data)
            work.result()


def _written(labels: LabelMap, folder: Path) -> Path:
    """Labels as a file with their place in space, names, colours and codes."""
    from delineate.formats import nrrd

    path = folder / "labels.seg.nrrd"
    nrrd.write_labels([labels], path)
    return path


def _file_name(headers: Mapping[str, str], job: str, format: str) -> str:  # noqa: A002
    """Name of the file that a service sends, without the job's id."""
    _, _, said = headers.get("content-disposition", "").partition("filename=")
    name = Path(said.strip('"').replace("\\", "/")).name.removeprefix(f"{job}-")
    return name if name and name.isprintable() and name not in (".", "..") else format
