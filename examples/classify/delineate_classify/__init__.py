"""Benign or malignant, on synthetic speckle: what is known of it without loading it."""

import json
from pathlib import Path

from delineate import Category, DetectorSpec, Options
from delineate.plugins import Wants, Weights

SIZE = 128
BENIGN = Category("benign", (0, 158, 115))
MALIGNANT = Category("malignant", (213, 94, 0))
UNCERTAIN = Category("uncertain", (128, 128, 128))
CARD = json.loads(Path(__file__).with_name("card.json").read_text(encoding="utf-8"))

spec = DetectorSpec(
    id="speckle.classify",
    title="Benign or malignant shapes, synthetic speckle only (example)",
    factory="delineate_classify.classifier:Classifier",
    version="1.0",
    task="classification",
    gives="classes",
    categories=(BENIGN, MALIGNANT, UNCERTAIN),
    options=Options,
    wants=Wants(
        modalities=("photo", "US"),
        dimensions=2,
        channels=0,
        min_size=(1, SIZE, SIZE),
        max_size=(1, SIZE, SIZE),
        refuses=("pictures without the speckle of its phantoms", "ultrasound of patients"),
    ),
    weights=(Weights(name="weights.safetensors", sha256=CARD["sha256"], licence="Apache-2.0"),),
    memory_mb=700,
    intended_use="An example on synthetic phantoms; it knows no patient. Not for diagnosis.",
)
