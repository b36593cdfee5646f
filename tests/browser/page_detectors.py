"""Detectors for the tests of the page."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field
from scipy import ndimage

from delineate.errors import UnsuitableImageError
from delineate.imaging import Category, Image, LabelMap
from delineate.plugins import (
    Classes,
    CountError,
    Detection,
    DetectorSpec,
    Instance,
    Instances,
    Masks,
    Monitor,
    Options,
    OutputKind,
    Reference,
    Wants,
)
from delineate.plugins import Field as PixelField

DETECTORS = ("cube", "blobs", "overlap", "many", "unusual", "whole", "double", "compare", "twelve")

MARKUP = '<img src=x onerror="window.executed=1">'
CUBE = Category("cube_left", (230, 0, 230), laterality="left")
ABSENT = Category("nowhere", (0, 158, 115))
NAMES = (Category(MARKUP, (0, 114, 178)), Category("<script>window.executed=1</script>"))
BLOB = Category("blob", (230, 0, 230))


class CubeOptions(Options):
    threshold: float = Field(200.0, description="From this value on.")
    seconds: float = Field(0.0, ge=0, le=600, description="How long to take.")
    names: Literal["plain", "markup"] = Field("plain", description="What things are called.")


cube = DetectorSpec(
    id="page.cube",
    title="Cubes",
    factory="page_detectors:Cubes",
    categories=(CUBE, ABSENT, *NAMES),
    wants=Wants(modalities=("CT",), unit="mm", dimensions=3),
    options=CubeOptions,
    intended_use=f"Tests {MARKUP}. Not for diagnosis.",
)
blobs = DetectorSpec(
    id="page.blobs",
    title="Blobs",
    factory="page_detectors:Blobs",
    task="counting",
    gives="instances",
    categories=(BLOB,),
    wants=Wants(modalities=("photo",), dimensions=2),
)


def install(site: Path) -> list[str]:
    """Have these detectors in a folder as a distribution; what PYTHONPATH has to hold then."""
    info = site / "page_detectors-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: page-detectors\nVersion: 1.0\n")
    points = "".join(f"page-{name} = page_detectors:{name}\n" for name in DETECTORS)
    (info / "entry_points.txt").write_text(f"[delineate.detectors]\n{points}")
    return [str(site), str(Path(__file__).parent)]


class Cubes:
    """Everything bright is one thing; a second thing is looked for in vain."""

    def detect_monitored(self, image: Image, options: CubeOptions, monitor: Monitor) -> LabelMap:
        end = time.monotonic() + options.seconds
        while (left := end - time.monotonic()) > 0:
            monitor.progress(1 - left / options.seconds, "looking for cubes")
            monitor.checkpoint()
            time.sleep(0.02)
        names = NAMES if options.names == "markup" else (CUBE, ABSENT)
        bright = (image.array >= options.threshold).astype(np.uint8)
        return LabelMap(bright, image.grid, dict(enumerate(names, start=1)))

    detect = detect_monitored


class Blobs:
    """A point, a box and a polygon at fixed places."""

    def detect(self, image: Image, options: Options) -> Instances:
        ring = np.array([(0, 60, 60), (0, 60, 90), (0, 90, 75)], dtype=np.float64)
        items = (
            Instance(BLOB, 0.9, point=(0, 20, 20)),
            Instance(BLOB, 0.8, box=((-0.5, 19.5, 59.5), (0.5, 39.5, 99.5))),
            Instance(BLOB, 0.7, polygon=ring),
        )
        return Instances(items, image.grid)


# One of each kind, for whatever picture comes.

PALE, DARK = Category("pale", (86, 180, 233)), Category("dark", (230, 159, 0))
MOTH, FLY, THRIPS = (
    Category("moth", (230, 0, 230)),
    Category("fly", (0, 158, 115)),
    Category("thrips", (86, 180, 233)),
)
GOOD, BAD, UNSURE = (
    Category("good", (0, 158, 115)),
    Category("bad", (213, 94, 0)),
    Category("uncertain"),
)
UNUSUAL = Category("unusual", (230, 0, 230))
MANY = 300


def grey_of(image: Image) -> np.ndarray[Any, np.dtype[np.float32]]:
    """0 to 1: ``(slice, row, column)``."""
    values = image.array.astype(np.float32)
    values = values.mean(axis=-1) if image.channels else values
    return (values - values.min()) / max(float(np.ptp(values)), 1e-6)


class CompareOptions(Options):
    template: Reference | None = Field(None, description="The picture to compare with.")
    threshold: float = Field(0.5, ge=0, le=1, description="Difference that counts.")


def _kind(name: str, factory: str, gives: OutputKind, **more: Any) -> DetectorSpec:
    return DetectorSpec(
        id=f"page.{name}",
        title=name.capitalize(),
        factory=f"page_detectors:{factory}",
        gives=gives,
        **more,
    )


overlap = _kind("overlap", "Overlap", "masks", categories=(PALE, DARK))
many = _kind(
    "many",
    "Many",
    "instances",
    task="counting",
    categories=(MOTH, FLY, THRIPS),
    count_error=CountError(per_item=1.0, relative=0.05),
)
unusual = _kind("unusual", "Unusual", "field", task="anomaly", categories=(UNUSUAL,))
whole = _kind("whole", "Whole", "classes", task="classification", categories=(GOOD, BAD, UNSURE))
double = _kind("double", "Double", "image", task="restoration")
TWELVE = tuple(Category(f"organ_{n}") for n in range(1, 13))
twelve = _kind("twelve", "Twelve", "labelmap", categories=TWELVE)
compare = _kind("compare", "Compare", "field", categories=(UNUSUAL,), options=CompareOptions)


class Twelve:
    """Every 60 HU from 100 HU on is another organ."""

    def detect(self, image: Image, options: Options) -> LabelMap:
        bands = np.clip((image.array - 100) // 60 + 1, 0, len(TWELVE)).astype(np.uint8)
        return LabelMap(bands, image.grid, dict(enumerate(TWELVE, start=1)))


class Overlap:
    """Two discs of a quarter of the picture that share a part."""

    def detect(self, image: Image, options: Options) -> Masks:
        slices, rows, columns = image.grid.shape
        row, column = np.mgrid[:rows, :columns]
        radius = min(rows, columns) / 4
        discs = [np.hypot(row - rows / 2, column - columns * x) < radius for x in (0.4, 0.6)]
        stack = np.stack([np.broadcast_to(disc, (slices, rows, columns)) for disc in discs])
        return Masks(stack.copy(), image.grid, (PALE, DARK))


class Many:
    """Points on a spiral: every third a moth, the others flies and thrips."""

    def detect(self, image: Image, options: Options) -> Detection:
        _, rows, columns = image.grid.shape
        turns = np.arange(MANY)
        radius = 0.45 * min(rows, columns) * np.sqrt((turns + 0.5) / MANY)
        row = rows / 2 + radius * np.sin(2.4 * turns)
        column = columns / 2 + radius * np.cos(2.4 * turns)
        items = tuple(
            Instance((MOTH, FLY, THRIPS)[n % 3], 0.5 + n / 1000, point=(0.0, float(r), float(c)))
            for n, (r, c) in enumerate(zip(row, column, strict=True))
        )
        return Detection(Instances(items, image.grid), overall={"density": 0.0125})


class Unusual:
    """How far each sample is from the mean of those around it."""

    def detect(self, image: Image, options: Options) -> PixelField:
        grey = grey_of(image)
        far = np.abs(grey - ndimage.gaussian_filter(grey, (0, 9, 9)))
        scores = ndimage.gaussian_filter(far, (0, 4, 4))
        scores /= max(float(scores.max()), 1e-6)
        return PixelField(scores, image.grid, UNUSUAL, "distance from what is around", 0.6)


class Whole:
    """Always the same probabilities, and that it is unsure."""

    def detect(self, image: Image, options: Options) -> Detection:
        return Detection(Classes({GOOD: 0.58, BAD: 0.42, UNSURE: 1.0}), remarks=("abstains",))


class Double:
    """Twice as many samples along rows and columns, inverted so that it is seen which is which."""

    def detect(self, image: Image, options: Options) -> Image:
        slices, rows, columns = image.grid.spacing
        array = image.array.repeat(2, axis=1).repeat(2, axis=2)
        array = (array.max() - array + array.min()).astype(array.dtype)
        grid = image.grid.with_spacing((slices, rows / 2, columns / 2))
        return Image(array, grid, image.modality, image.channels)


class Compare:
    """Where a picture differs from its template."""

    def detect(self, image: Image, options: CompareOptions) -> PixelField:
        if options.template is None:
            raise UnsuitableImageError("expected a template, got none; choose one")
        other = grey_of(options.template.image)
        difference = np.abs(grey_of(image) - other)
        return PixelField(difference, image.grid, UNUSUAL, "difference", options.threshold)
