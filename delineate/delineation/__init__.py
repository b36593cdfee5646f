"""The one use case: an image goes through a detector, and what it found becomes a result."""

from delineate.delineation.document import SCHEMA, dumps, to_json
from delineate.delineation.exports import (
    EXPORTS,
    Export,
    demand_exportable,
    export,
    exportable,
    labels,
)
from delineate.delineation.result import (
    Delineation,
    DetectorIdentity,
    Finding,
    Provenance,
    structures,
)
from delineate.delineation.run import delineate
from delineate.delineation.store import load, save

__all__ = [
    "EXPORTS",
    "SCHEMA",
    "Delineation",
    "DetectorIdentity",
    "Export",
    "Finding",
    "Provenance",
    "delineate",
    "demand_exportable",
    "dumps",
    "export",
    "exportable",
    "labels",
    "load",
    "save",
    "structures",
    "to_json",
]
