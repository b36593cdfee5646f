"""An image that a service keeps."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from delineate.client.transport import Session

if TYPE_CHECKING:
    from delineate.formats import Entry
    from delineate.imaging import Image

__all__ = ["RemoteImage"]

_LARGEST_FILE = 64 << 30


class RemoteImage:
    """An image that a service keeps.

    Parameters
    ----------
    session
        With the service.
    document
        As ``GET /v1/images/ID`` answers it.
    sources
        What was sent, if it was sent from here: it need not be fetched to be read.
    """

    def __init__(
        self, session: Session, document: Mapping[str, Any], sources: Sequence[Path] = ()
    ) -> None:
        self._session, self._sources = session, tuple(sources)
        self.document = document

    def __repr__(self) -> str:
        return f"RemoteImage({self.id})"

    @property
    def id(self) -> str:
        """Its id: a hash over the contents of its files."""
        return str(self.document["id"])

    @property
    def report(self) -> Mapping[str, Any]:
        """What is in it and whether it can be used; see ``docs/formats.md``."""
        report: Mapping[str, Any] = self.document["report"]
        return report

    def download(self, folder: Path | str) -> list[Path]:
        """Fetch its files as they came, under the names that the service gives them."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        return [entry.path for entry in self._fetched(folder)]

    def read(self, series: str | None = None, modality: str | None = None) -> Image:
        """The image of a series, as the service reads it.

        Parameters
        ----------
        series
            Its id in the report; may be left out where only one is offered.
        modality
            What it is, where its files do not say it.
        """
        from delineate import formats

        with self._entries() as (entries, is_here):
            return formats.read(
                entries,
                self._here(series) if is_here else series,
                modality=modality,
                **self.document["reading"],
            )

    @contextmanager
    def _entries(self) -> Iterator[tuple[Any, bool]]:
        """The files, and whether they are those that were sent from here."""
        if self._sources:
            yield list(self._sources), True
            return
        with tempfile.TemporaryDirectory(prefix="delineate-") as scratch:
            yield self._fetched(Path(scratch)), False

    def _fetched(self, folder: Path) -> list[Entry]:
        from delineate.formats import Entry

        listed = self._session.json("GET", f"/v1/images/{self.id}/files", again=True)
        entries = []
        for one in listed:
            path = folder / Path(one["file"]).name
            address = f"/v1/images/{self.id}/files/{quote(one['file'])}"
            self._session.request("GET", address, limit=_LARGEST_FILE, again=True, to=path)
            entries.append(Entry(path, one["name"], one["file"]))
        return entries

    def _here(self, series: str | None) -> str | None:
        """What a series is called where its files have their own names."""
        found = [one for one in self.report["series"] if one["id"] == series]
        if not found or found[0]["format"] == "dicom":
            return series
        return str(found[0]["files"][0])
