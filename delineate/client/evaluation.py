"""An evaluation of a service: followed, cancelled, its scores fetched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from delineate.client.job import JobState, RemoteJob
from delineate.client.transport import SMALL, Session

__all__ = ["RemoteEvaluation"]

_LARGEST = 4 << 30
_PAGE = 100


class RemoteEvaluation:
    """An evaluation of a service.

    Parameters
    ----------
    session
        With the service.
    document
        As ``GET /v1/evaluations/ID`` answers it.
    """

    def __init__(self, session: Session, document: Mapping[str, Any]) -> None:
        self._session, self._job = session, RemoteJob(session, document)
        self.id = self._job.id
        self._where = f"/v1/evaluations/{self.id}"

    def __repr__(self) -> str:
        return f"RemoteEvaluation({self.id})"

    def state(self) -> JobState:
        """How it stands now."""
        return self._job.state()

    def follow(self) -> Iterator[JobState]:
        """How it stands, now and after every change, until it has ended."""
        return self._job.follow()

    def wait(self) -> JobState:
        """Wait until it is done; raises as :meth:`RemoteJob.wait`."""
        return self._job.wait()

    def cancel(self) -> None:
        """Ask it to stop; whether it had ended before does not matter."""
        self._job.cancel()

    def remove(self) -> None:
        """Remove it there, with its scores; it has ended."""
        self._session.request("DELETE", f"/v1/jobs/{self.id}/result", limit=SMALL)

    def summary(self) -> dict[str, Any]:
        """The document that ``summary.json`` holds; waits until it is there."""
        self.wait()
        found: dict[str, Any] = self._session.json(
            "GET", f"{self._where}/summary.json", limit=_LARGEST, again=True
        )
        return found

    def cases(self) -> Iterator[dict[str, Any]]:
        """What came of each case, in their order; waits until it is there."""
        self.wait()
        first, of = 0, 1
        while first < of:
            page = self._session.json(
                "GET",
                f"{self._where}/cases",
                params={"first": first, "limit": _PAGE},
                limit=_LARGEST,
                again=True,
            )
            yield from page["cases"]
            first, of = first + _PAGE, page["of"]

    def download(
        self, name: Literal["scores.csv", "report.html", "summary.json"], folder: Path | str
    ) -> Path:
        """Fetch a file of the report into a folder, which is made where it is missing."""
        self.wait()
        path = Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{name}.part")
        self._session.request(
            "GET", f"{self._where}/{name}", limit=_LARGEST, again=True, to=partial
        )
        return partial.replace(path)
