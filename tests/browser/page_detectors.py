"""Detectors for the tests of the page."""

from __future__ import annotations

import time
from typing import Literal

import numpy as np
from pydantic import Field

from delineate.imaging import Category, Image, LabelMap
from delineate.plugins import DetectorSpec, Instance, Instances, Monitor, Options, Wants

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
