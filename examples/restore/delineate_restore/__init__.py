"""Twice the resolution within slices: what is known of it without loading it."""

import json
from pathlib import Path
from typing import Literal

from pydantic import Field

from delineate import DetectorSpec, Options
from delineate.plugins import Weights

CARD = json.loads(Path(__file__).with_name("card.json").read_text(encoding="utf-8"))


class RestoreOptions(Options):
    """What may be chosen; becomes flags, a form and a schema."""

    method: Literal["network", "bicubic"] = Field(
        "network", description="The trained network, or bicubic interpolation to compare with."
    )


spec = DetectorSpec(
    id="restore.double",
    title="Twice the resolution within slices (example)",
    factory="delineate_restore.restorer:Doubler",
    version="1.0",
    task="restoration",
    gives="image",
    options=RestoreOptions,
    weights=(Weights(name="weights.safetensors", sha256=CARD["sha256"], licence="Apache-2.0"),),
    memory_mb=600,
    memory_bytes_per_sample=80.0,
    intended_use="An example; what it adds is likely, not measured. Not for diagnosis.",
)
