"""A case to be scored, how it is to be scored, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from delineate.errors import OptionError
from delineate.evaluation.rules import Scoring
from delineate.evaluation.score import Score

__all__ = ["Case", "Rules", "Scored", "Table"]

# Labels that make up each structure, by its name: several for a region that overlaps others.
Table = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Where the files of one case are.

    Parameters
    ----------
    name
        Unique among the cases.
    reference
        What is held to be true.
    prediction
        What is scored; ``None``: there is none, and every structure counts as missed.
    image
        Drawn below the outlines in the report; the samples to fill outlines on, where both sides
        are outlines.
    reference_table, prediction_table
        Names of the labels of label maps, where a table beside them says them.
    groups
        Value of each group column.
    """

    name: str
    reference: Path
    prediction: Path | None = None
    image: Path | None = None
    reference_table: Table | None = None
    prediction_table: Table | None = None
    groups: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """All of it, for another process or machine."""
        paths = {name: getattr(self, name) for name in ("reference", "prediction", "image")}
        tables = {name: getattr(self, name) for name in ("reference_table", "prediction_table")}
        return {
            "name": self.name,
            **{name: None if path is None else str(path) for name, path in paths.items()},
            **{name: table and dict(table) for name, table in tables.items()},
            "groups": dict(self.groups),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Case:
        """Inverse of `to_json`."""
        fields: dict[str, Any] = dict(document)
        for name in ("reference", "prediction", "image"):
            fields[name] = None if fields[name] is None else Path(fields[name])
        for name in ("reference_table", "prediction_table"):
            table = fields[name]
            fields[name] = table and {one: tuple(labels) for one, labels in table.items()}
        return cls(**fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How cases are scored; the same for all of them.

    Parameters
    ----------
    scoring
        Metrics and tolerances.
    renamed
        Names of structures in predictions, and what they are called in references.
    resample
        Whether a prediction on other samples than the reference's is sampled anew (nearest), or
        refused.
    count_unreferenced
        Whether a structure that a reference does not name at all counts as invented, or is told
        beside the scores.
    missed_distance
        Distance to a structure that is not there: undefined, or the diagonal of the image.
    """

    scoring: Scoring = field(default_factory=Scoring)
    renamed: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    resample: bool = False
    count_unreferenced: bool = False
    missed_distance: Literal["undefined", "diagonal"] = "undefined"

    def __post_init__(self) -> None:
        if self.missed_distance not in ("undefined", "diagonal"):
            raise OptionError(
                f"expected a distance to what is missed of undefined or diagonal, got "
                f"{self.missed_distance!r}"
            )
        object.__setattr__(self, "renamed", dict(sorted(self.renamed.items())))

    def to_json(self) -> dict[str, Any]:
        """All of it; equal for equal rules."""
        return {
            "scoring": self.scoring.to_json(),
            "renamed": dict(self.renamed),
            "resample": self.resample,
            "count_unreferenced": self.count_unreferenced,
            "missed_distance": self.missed_distance,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Rules:
        """Inverse of `to_json`."""
        return cls(**{**document, "scoring": Scoring(**document["scoring"])})

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Rules.from_json, (self.to_json(),)  # a proxy has no pickle


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What came of a case.

    Parameters
    ----------
    case
        Its name.
    scores
        Structure by structure; none if it failed.
    notes
        What to know of them.
    prediction_only
        Structures of the prediction that the reference does not name.
    evidence
        What figures of all cases together need of it; see :mod:`~delineate.evaluation.cohort`.
    inputs
        ``"sha256:..."`` of ``prediction``, ``reference`` and ``image``, as far as they are there.
    cutout
        Where its worst structure differs most, if it is a segmentation; a
        :class:`~delineate.evaluation.cutout.Cutout` as JSON, since there may be thousands.
    error
        Why it could not be scored; empty if it could.
    """

    case: str
    scores: tuple[Score, ...] = ()
    notes: tuple[str, ...] = ()
    prediction_only: tuple[str, ...] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    cutout: Mapping[str, Any] | None = None
    error: str = ""

    def to_json(self) -> dict[str, Any]:
        """As it is kept: what is not a number is ``null``."""
        return {
            "case": self.case,
            "scores": [
                [one.structure, one.metric, _number(one.value), one.unit, one.note]
                for one in self.scores
            ],
            "notes": list(self.notes),
            "prediction_only": list(self.prediction_only),
            "evidence": dict(self.evidence),
            "inputs": dict(self.inputs),
            "cutout": None if self.cutout is None else dict(self.cutout),
            "error": self.error,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Scored:
        """Inverse of `to_json`; exact."""
        return cls(
            case=document["case"],
            scores=tuple(
                Score(structure, metric, float("nan") if value is None else value, unit, note)
                for structure, metric, value, unit, note in document["scores"]
            ),
            notes=tuple(document["notes"]),
            prediction_only=tuple(document["prediction_only"]),
            evidence=document["evidence"],
            inputs=document["inputs"],
            cutout=document["cutout"],
            error=document["error"],
        )

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Scored.from_json, (self.to_json(),)  # far quicker than one by one, of thousands


def _number(value: float) -> float | None:
    return None if value != value else float(value)
