"""An upload that was kept, and the choice among its series."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from delineate.errors import SeriesChoiceError, UnsuitableImageError

__all__ = ["StoredImage"]

# What is told of a series that may be chosen: nothing that its sender named.
_CHOICE = ("id", "modality", "slices", "description")


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An upload that was kept: its folder and what ``image.json`` says of it."""

    folder: Path
    document: dict[str, Any]

    @property
    def files(self) -> list[Path]:
        """The files, in the order of their contents' hashes."""
        return sorted((self.folder / "files").iterdir())

    @property
    def reading(self) -> dict[str, Any]:
        """How the files are to be read; see `jobs.reading`."""
        try:
            names = json.loads((self.folder / "names.json").read_text())
        except FileNotFoundError:  # kept before there were names
            names = {}
        asked = self.document.get("reading", {"uneven": "refuse", "spacing_mm": None})
        return {**asked, "names": names}

    def series(self, chosen: str | None) -> dict[str, Any]:
        """Report of the series of that id, or of the only usable one.

        Raises
        ------
        SeriesChoiceError
            If there are several and none was chosen, or none has that id.
        UnsuitableImageError
            If the series was refused.
        """
        reports = self.document["report"]["series"]
        usable = [one for one in reports if one["verdict"] != "refused"]
        offered = [one for one in usable if not one.get("set_aside")]
        if chosen is None and len(offered) == 1:
            return dict(offered[0])
        found = [one for one in reports if one["id"] == chosen]
        if not found:
            among = offered if chosen is None else usable
            asked = "" if chosen is None else f", {chosen[:100]!r} is not among them"
            ids = ", ".join(one["id"] for one in among[:20])
            raise SeriesChoiceError(
                f"this image has {len(among)} series to choose from{asked}; name one as 'series': "
                f"{ids}",
                [{key: one[key] for key in _CHOICE} for one in among],
            )
        if found[0]["verdict"] == "refused":
            problems = " ".join(problem["message"] for problem in found[0]["problems"][:3])
            raise UnsuitableImageError(
                f"series {chosen} was refused: {problems} {found[0]['advice']}".strip()
            )
        return dict(found[0])
