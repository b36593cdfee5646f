"""Detectors for the tests of the service: one that behaves, and some that do not."""

from __future__ import annotations

import os
import signal
import sys
import time

import numpy as np
from pydantic import Field

from delineate.errors import ModelError, OptionError
from delineate.imaging import Category, Image, LabelMap
from delineate.plugins import DetectorSpec, Monitor, Options, Reference, Wants

BRIGHT = Category("bright")


class BrightOptions(Options):
    threshold: float = Field(100.0, ge=-2000, le=4000, description="From this value on.")
    seconds: float = Field(0.0, ge=0, le=600, description="How long to take.")


def _spec(name: str, factory: str, **more: object) -> DetectorSpec:
    return DetectorSpec(
        id=f"test.{name}",
        title=name,
        factory=f"odd_detectors:{factory}",
        categories=(BRIGHT,),
        wants=Wants(modalities=("CT",), unit="mm", min_slices=3),
        **more,  # type: ignore[arg-type]
    )


bright = _spec("bright", "Bright", options=BrightOptions)
crash = _spec("crash", "Crash")
leave = _spec("leave", "Leave")
stuck = _spec("stuck", "Stuck")
noisy = _spec("noisy", "Noisy")
careful = _spec("careful", "Careful")
hungry = _spec("hungry", "Hungry")


class Compared(Options):
    template: Reference | None = Field(None, description="What to compare with.")


changed = _spec("changed", "Changed", options=Compared)


def _labels(image: Image, threshold: float) -> LabelMap:
    return LabelMap((image.array >= threshold).astype(np.uint8), image.grid, {1: BRIGHT})


class Bright:
    def detect_monitored(self, image: Image, options: BrightOptions, monitor: Monitor) -> LabelMap:
        began = time.monotonic()
        while (passed := time.monotonic() - began) < options.seconds:
            monitor.progress(passed / options.seconds, "looking")
            monitor.checkpoint()
            time.sleep(0.02)
        return _labels(image, options.threshold)

    detect = detect_monitored


class Crash:
    def detect(self, image: Image, options: Options) -> LabelMap:
        os.kill(os.getpid(), signal.SIGSEGV)
        raise AssertionError


class Leave:
    def detect(self, image: Image, options: Options) -> LabelMap:
        os._exit(3)


class Stuck:
    def detect(self, image: Image, options: Options) -> LabelMap:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(0.001)


class Noisy:
    def detect(self, image: Image, options: Options) -> LabelMap:
        line = '{"type": "done", "answer": 42}\n' * 1000
        for _ in range(700):
            sys.stderr.write(line)
        sys.stdout.write(line)
        return _labels(image, 100.0)


class Hungry:
    def detect(self, image: Image, options: Options) -> LabelMap:
        return _labels(image, float(np.ones(1 << 28).min()))  # 2 GB


class Changed:
    """What is brighter than in the template."""

    def detect(self, image: Image, options: Compared) -> LabelMap:
        if options.template is None:
            raise OptionError("name a template to compare with")
        brighter = image.array > options.template.image.array
        return LabelMap(brighter.astype(np.uint8), image.grid, {1: BRIGHT})


class Careful:
    def detect(self, image: Image, options: Options) -> LabelMap:
        raise ModelError("the weights are not as declared", "test.careful")
