"""Bright spots: what is known of the detector without loading it."""

from pydantic import Field

from delineate import Category, DetectorSpec, Options, Wants

SPOT = Category("bright spot")


class SpotOptions(Options):
    """What may be chosen; becomes flags, a form and a schema."""

    threshold: float = Field(0.5, ge=0, le=1, description="Between darkest (0) and brightest (1).")
    min_size: int = Field(4, ge=1, description="Fewest samples of a spot.")


spec = DetectorSpec(
    id="bright-spots",
    title="Bright spots",
    factory="bright_spots.finder:BrightSpots",
    categories=(SPOT,),
    wants=Wants(channels=0),
    options=SpotOptions,
    memory_bytes_per_sample=24,
    intended_use="An example.",
)
