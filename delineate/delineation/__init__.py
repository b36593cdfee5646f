"""The one use case: an image goes through a detector, and what it found becomes a result."""

from delineate.delineation.corrected_things import corrected_things, things_from
from delineate.delineation.correction import corrected, labels_from
from delineate.delineation.document import SCHEMA, dumps, to_json
from delineate.delineation.exports import (
    EXPORTS,
    SIDECAR,
    Export,
    drawing,
    export,
    exportable,
    layers,
    layers_of,
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
from delineate.delineation.version import CORRECTION, Corrector

__all__ = [
    "CORRECTION",
    "EXPORTS",
    "KEPT",
    "SCHEMA",
    "SIDECAR",
    "Corrector",
    "Delineation",
    "DetectorIdentity",
    "Export",
    "Finding",
    "Provenance",
    "corrected",
    "corrected_things",
    "delineate",
    "drawing",
    "dumps",
    "export",
    "exportable",
    "labels_from",
    "layers",
    "layers_of",
    "load",
    "load_output",
    "offers",
    "save",
    "structures",
    "things_from",
    "to_json",
]
