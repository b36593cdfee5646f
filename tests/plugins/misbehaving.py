"""Detectors that do what detectors must not, each on request, and one of every kind of output."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from delineate.errors import ModelError
from delineate.imaging import Category, Code, Grid, Image, LabelMap
from delineate.plugins import (
    Classes,
    Detection,
    DetectorSpec,
    Field,
    Instance,
    Instances,
    Masks,
    Monitor,
    Options,
    Reference,
)

LIVER = Category("liver", code=Code("10200004", "SCT", "Liver"))
KIDNEY = Category("kidney", (1, 2, 3), laterality="left")


class How(Options):
    how: str = "well"
    path: str = ""


class Rogue:
    """Marks positive samples as liver, after having done what it was asked to."""

    def detect_monitored(self, image: Image, options: How, monitor: Monitor) -> Any:
        odd = getattr(self, options.how, None)
        answer = odd(image, options, monitor) if odd else None
        if answer is not None:
            return answer
        return LabelMap((image.array > 0).astype(np.uint8), image.grid, {1: LIVER})

    def segfault(self, *_: object) -> None:
        ctypes.string_at(0)

    def exits(self, *_: object) -> None:
        os._exit(7)

    def calls_sys_exit(self, *_: object) -> None:
        sys.exit(3)

    def raises(self, *_: object) -> None:
        raise KeyError("the cupboard is bare")

    def raises_model_error(self, *_: object) -> None:
        raise ModelError("weights are of another network")

    def loops(self, *_: object) -> None:
        while True:
            time.sleep(0.01)

    def loops_and_ignores_sigterm(self, *_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self.loops()

    def loops_in_c(self, *_: object) -> None:
        ctypes.PyDLL(None).sleep(60)  # a PyDLL keeps the interpreter's lock

    def loops_politely(self, image: Image, options: How, monitor: Monitor) -> None:
        while True:
            time.sleep(0.01)
            monitor.checkpoint()

    def asks_a_few_times(self, image: Image, options: How, monitor: Monitor) -> None:
        for _ in range(20):
            time.sleep(0.005)
            monitor.checkpoint()

    def hogs(self, *_: object) -> None:
        hoard = []
        while True:
            hoard.append(np.ones(1 << 22))

    def prints(self, *_: object) -> None:
        os.write(1, bytes(range(256)) * 4000)
        sys.stdout.write("{}" * 100_000)
        for _line in range(40):
            sys.stderr.write("complaint\n" * 100_000)  # 1 MB

    def prints_and_crashes(self, *_: object) -> None:
        self.prints()
        sys.stderr.write("the last words\n")
        sys.stderr.flush()
        os.abort()

    def writes_to_the_image(self, image: Image, *_: object) -> None:
        image.array[0] = 0

    def closes_every_descriptor(self, *_: object) -> None:
        os.closerange(3, 256)

    def leaves_a_grandchild(self, image: Image, options: How, monitor: Monitor) -> None:
        grandchild = subprocess.Popen(["sleep", "60"])
        Path(options.path).write_text(str(grandchild.pid))
        self.loops()

    def forks_and_dies(self, *_: object) -> None:
        if os.fork() == 0:
            time.sleep(60)
        os._exit(9)

    def tells_its_source(self, image: Image, *_: object) -> Detection:
        labels = LabelMap(np.zeros(image.grid.shape, np.uint8), image.grid, {1: LIVER})
        return Detection(labels, remarks=(image.source.format, type(image.source).__name__))

    def reports_a_million_times(self, image: Image, options: How, monitor: Monitor) -> None:
        for number in range(1_000_000):
            monitor.progress(number / 1_000_000, "counting")

    def returns_nonsense(self, *_: object) -> list[str]:
        return ["a liver"]

    def returns_a_stranger(self, image: Image, *_: object) -> LabelMap:
        array = np.ones(image.grid.shape, np.uint8)
        return LabelMap(array, image.grid, {1: Category("spleen")})


rogue = DetectorSpec(
    id="rogue",
    title="Rogue",
    factory="misbehaving:Rogue",
    categories=(LIVER, KIDNEY),
    options=How,
)


def outputs(grid: Grid) -> dict[str, Detection]:
    """One of each kind, with all that may go with it."""
    _, rows, columns = grid.shape
    array = np.zeros(grid.shape, np.uint8)
    array[0, 0, 0] = 2
    masks = np.stack([array > 0, np.ones(grid.shape, bool)])
    ring = np.array([[0, 0, 0], [0, rows - 1, 0], [0, rows - 1, columns - 0.5]], float)
    items = (
        Instance(LIVER, 0.5, point=(0.0, 1.25, 2.0)),
        Instance(KIDNEY, 1.0, box=((-0.5, -0.5, -0.5), (0.5, 1.5, 2.5)), polygon=ring),
    )
    field = np.linspace(0, 1, array.size, dtype=np.float32).reshape(grid.shape)
    photo = np.arange(array.size * 3, dtype=np.int16).reshape(*grid.shape, 3)
    return {
        "labelmap": Detection(
            LabelMap(array, grid, {1: LIVER, 2: KIDNEY}),
            scores={2: 0.25},
            notes={1: ("not seen", "twice")},
            measurements={2: {"oddness": 0.5, "voxels": -1.0}},
            remarks=("ready",),
            device="abacus",
            versions={"beads": "10"},
        ),
        "masks": Detection(Masks(masks, grid, (KIDNEY, LIVER)), scores={1: 1.0}),
        "instances": Detection(Instances(items, grid), notes={2: ("blurred",)}),
        "classes": Detection(Classes({LIVER: 0.75, KIDNEY: 0.0})),
        "field": Detection(Field(field, grid, LIVER, "oddness", 0.5), scores={1: 0.5}),
        "image": Detection(Image(photo, grid, "photo", ("red", "green", "blue"))),
    }


class Sampler:
    """Returns the kind of output that its option names."""

    def detect(self, image: Image, options: How) -> Detection:
        return outputs(image.grid)[options.how]


def sampler(kind: Any) -> DetectorSpec:
    return DetectorSpec(
        id=f"sampler.{kind}",
        title="Sampler",
        factory="misbehaving:Sampler",
        categories=(LIVER, KIDNEY),
        gives=kind,
        options=How,
    )


class Framed(Options):
    template: Reference | None = None


class Frame:
    """Finds nothing, and tells what the template is like."""

    def detect(self, image: Image, options: Framed) -> Detection:
        nothing = LabelMap(np.zeros(image.grid.shape, np.uint8), image.grid, {1: LIVER})
        if options.template is None:
            return Detection(nothing)
        other = options.template.image
        numbers = {"template_sum": other.array.sum(), "template_columns": other.grid.shape[2]}
        return Detection(nothing, overall={name: float(value) for name, value in numbers.items()})


framed = DetectorSpec(
    id="framed",
    title="Framed",
    factory="misbehaving:Frame",
    categories=(LIVER,),
    options=Framed,
)
