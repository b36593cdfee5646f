"""A result as JSON: the document of ``docs/rest.md``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.contour import Contour
from delineate.delineation.result import (
    Change,
    Correction,
    Delineation,
    DetectorIdentity,
    Finding,
    Provenance,
)
from delineate.errors import UnreadableFileError
from delineate.imaging import Image, category_from_json, category_json
from delineate.plugins import Output, Weights
from delineate.plugins.wire import grid_json

__all__ = ["SCHEMA", "dumps", "findings_from", "from_json", "to_json"]

SCHEMA = "delineate/delineation/1"


def to_json(delineation: Delineation) -> dict[str, Any]:
    """The result as plain dictionaries, lists, numbers and strings; the same for the same result.

    Contours lie in the slice that ``slice`` numbers; points are rounded to 1e-4 mm.
    """
    image, detector, made = delineation.image, delineation.detector, delineation.provenance
    plane = image.grid.inverse[0]
    return {
        "schema": SCHEMA,
        "image": {
            "hash": made.image_hash,
            "modality": image.modality,
            "grid": grid_json(image.grid),
            "source": _source(image),
        },
        "detector": {
            "id": detector.id,
            "title": detector.title,
            "version": detector.version,
            "task": detector.task,
            "gives": detector.gives,
            "intended_use": detector.intended_use,
        },
        "provenance": {
            "created": made.created,
            "seconds": made.seconds,
            "options": dict(made.options),
            "references": dict(made.references),
            "device": made.device,
            "weights": [
                {"name": file.name, "sha256": file.sha256, "licence": file.licence}
                for file in made.weights
            ],
            "versions": dict(made.versions),
            **_correction(made.correction),
        },
        "overall": dict(delineation.overall),
        "findings": [_finding(finding, plane) for finding in delineation.findings],
        "notes": list(delineation.notes),
    }


def dumps(document: Mapping[str, Any]) -> str:
    """The document as text: compact, UTF-8, no NaN."""
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def from_json(document: Mapping[str, Any], image: Image, output: Output) -> Delineation:
    """Inverse of :func:`to_json`, given what JSON does not hold.

    Raises
    ------
    UnreadableFileError
        If the document is of another schema.
    """
    if document.get("schema") != SCHEMA:
        raise UnreadableFileError(
            f"expected a result of schema {SCHEMA!r}, got {document.get('schema')!r}"
        )
    made = document["provenance"]
    return Delineation(
        image=image,
        detector=DetectorIdentity(**document["detector"]),
        output=output,
        findings=findings_from(document),
        provenance=Provenance(
            image_hash=document["image"]["hash"],
            created=made["created"],
            seconds=made["seconds"],
            options=made["options"],
            references=made.get("references", {}),
            device=made["device"],
            weights=tuple(Weights(**file) for file in made["weights"]),
            versions=made["versions"],
            correction=_correction_from_json(made.get("correction")),
        ),
        overall=document.get("overall", {}),
        notes=tuple(document["notes"]),
    )


def findings_from(document: Mapping[str, Any]) -> tuple[Finding, ...]:
    """The findings of a document alone."""
    return tuple(_finding_from_json(finding) for finding in document["findings"])


def _correction(correction: Correction | None) -> dict[str, Any]:
    """Part of the provenance; nothing of a result that is as the detector gave it."""
    if correction is None:
        return {}
    return {
        "correction": {
            "of": correction.of,
            "sha256": correction.sha256,
            "who": correction.who,
            "comment": correction.comment,
            "detector": asdict(correction.detector),
            "changes": [asdict(change) for change in correction.changes],
            "made": {str(number): made for number, made in sorted(correction.made.items())},
        }
    }


def _correction_from_json(document: Mapping[str, Any] | None) -> Correction | None:
    if document is None:
        return None
    return Correction(
        **{name: document[name] for name in ("of", "sha256", "who", "comment")},
        detector=DetectorIdentity(**document["detector"]),
        changes=tuple(Change(**change) for change in document["changes"]),
        made={int(number): made for number, made in document["made"].items()},
    )


def _source(image: Image) -> dict[str, Any]:
    # "stack" is what formats that hold several series call the one that was read.
    return {"format": image.source.format, "series": getattr(image.source, "stack", None)}


def _finding(finding: Finding, plane: NDArray[np.float64]) -> dict[str, Any]:
    return {
        "id": finding.id,
        "category": category_json(finding.category),
        "score": finding.score,
        "measurements": dict(finding.measurements),
        "notes": list(finding.notes),
        "contours": [
            {
                "slice": _slice(contour, plane),
                "hole": contour.is_hole,
                "points": contour.points.tolist(),
            }
            for contour in finding.contours
        ],
        "point": None if finding.point is None else list(finding.point),
        "box": None if finding.box is None else [list(corner) for corner in finding.box],
    }


def _slice(contour: Contour, plane: NDArray[np.float64]) -> int:
    return round(float(contour.points.mean(axis=0) @ plane[:3] + plane[3]))


def _finding_from_json(document: Mapping[str, Any]) -> Finding:
    point, box = document["point"], document["box"]
    return Finding(
        id=document["id"],
        category=category_from_json(document["category"]),
        score=document["score"],
        contours=tuple(
            Contour(np.array(ring["points"]), ring["hole"]) for ring in document["contours"]
        ),
        measurements=document["measurements"],
        notes=tuple(document["notes"]),
        point=None if point is None else (point[0], point[1], point[2]),
        box=None
        if box is None
        else ((box[0][0], box[0][1], box[0][2]), (box[1][0], box[1][1], box[1][2])),
    )
