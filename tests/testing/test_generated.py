"""Images that are generated for a detector fit what it wants."""

from __future__ import annotations

import pytest

from delineate.delineation.fit import demand_suitable
from delineate.imaging import Category
from delineate.plugins import DetectorSpec, Wants
from delineate.testing.generated import generated

WANTS = [
    Wants(),
    Wants(channels=0),
    Wants(channels=3),
    Wants(channels=2),
    Wants(modalities=("CT",), unit="mm", min_slices=8, orientation="SPL"),
    Wants(modalities=("MR",), dimensions=3, spacing_mm=(2.0, 1.0, 1.0)),
    Wants(modalities=("photo",), dimensions=2, unit="px"),
    Wants(modalities=("photo",), unit="mm"),
    Wants(modalities=("US",), min_size=(1, 300, 400)),
    Wants(dimensions=3, max_size=(10, 20, 30)),
    Wants(modalities=("CT",), dimensions=2),
    Wants(min_slices=40, channels=1),
]


@pytest.mark.parametrize("wants", WANTS, ids=str)
def test_an_image_is_generated_that_a_detector_reads_and_always_the_same(wants: Wants) -> None:
    spec = DetectorSpec(
        id="any", title="Any", factory="any:Any", categories=(Category("thing"),), wants=wants
    )
    image = generated(wants)

    demand_suitable(image, spec)
    assert image.content_hash == generated(wants).content_hash
    assert image.array.max() > image.array.min()
