"""Another version of a result, made of what a person has corrected."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from delineate import __version__
from delineate.delineation.result import (
    Change,
    Correction,
    Delineation,
    DetectorIdentity,
    Finding,
)
from delineate.delineation.run import own_versions
from delineate.formats.derived import Made
from delineate.plugins import Instances, Output

__all__ = ["CORRECTION", "LONGEST_NAME", "NOTES", "Corrector", "Version"]

CORRECTION = "correction"
"""Stands in a corrected result where others have the id of their detector."""

LONGEST_NAME = 64
NOTES: Mapping[Made, str] = {"manual": "drawn by hand", "semiautomatic": "corrected by hand"}
_WORDS = {"drawn": "drew", "changed": "changed", "renamed": "renamed", "deleted": "deleted"}
_MOST_NAMES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrector:
    """Who corrects which result, and what they say of it; see `Correction`."""

    of: str
    sha256: str
    who: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Version:
    """Another version while it is being made; the time that it takes counts from here on."""

    before: Delineation
    by: Corrector
    _created: datetime = field(default_factory=lambda: datetime.now(UTC))
    _began: float = field(default_factory=time.perf_counter)

    def made(
        self,
        output: Output,
        found: tuple[Finding, ...],
        changes: tuple[Change, ...],
        made: Mapping[int, Made],
        overall: Mapping[str, float],
    ) -> Delineation:
        """The version: its image is that of the one before, and so is what is known of weights."""
        before, by = self.before, self.by
        last = before.provenance.correction
        origin = last.detector if last else before.detector
        return Delineation(
            image=before.image,
            detector=DetectorIdentity(
                id=CORRECTION,
                title=f"Correction of {origin.title}",
                version=__version__,
                task=origin.task,
                gives="instances" if isinstance(output, Instances) else "labelmap",
                intended_use=origin.intended_use,
            ),
            output=output,
            findings=found,
            overall=overall,
            provenance=replace(
                before.provenance,
                created=self._created.strftime("%Y-%m-%dT%H:%M:%SZ"),
                seconds=round(time.perf_counter() - self._began, 3),
                versions={**before.provenance.versions, **own_versions()},
                correction=Correction(
                    of=by.of,
                    sha256=by.sha256,
                    who=by.who,
                    comment=by.comment,
                    detector=origin,
                    changes=changes,
                    made=made,
                ),
            ),
            notes=(*before.notes, _remark(by, changes)),
        )


def _remark(by: Corrector, changes: tuple[Change, ...]) -> str:
    told = []
    for what, word in _WORDS.items():
        counts: dict[str, int] = {}
        for change in changes:
            if change.what == what:
                name = change.name.replace("_", " ")
                counts[name] = counts.get(name, 0) + 1
        names = [name if count == 1 else f"{count} x {name}" for name, count in counts.items()]
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        told += [f"{word} {', '.join(names[:_MOST_NAMES])}{more}"] if names else []
    return f"corrected by hand: {by.who} {', '.join(told)}"
