"""The one use case: an image goes through a detector, and what it found becomes a result."""

from delineate.delineation.document import SCHEMA, dumps, to_json
from delineate.delineation.exports import (
    EXPORTS,
    SIDECAR,
    Export,
    drawing,
    export,
    exportable,
    layers,
    offers,
)
from delineate.delineation.result import (
    Delineation,
    DetectorIdentity,
    Finding,
    Provenance,
    structures,
)
from delineate.delineation.run import delineate
from delineate.delineation.store import KEPT, load, load_output, save

__all__ = [
    "EXPORTS",
    "KEPT",
    "SCHEMA",
    "SIDECAR",
    "Delineation",
    "DetectorIdentity",
    "Export",
    "Finding",
    "Provenance",
    "delineate",
    "drawing",
    "dumps",
    "export",
    "exportable",
    "layers",
    "load",
    "load_output",
    "offers",
    "save",
    "structures",
    "to_json",
]
