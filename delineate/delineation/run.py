"""The one use case: an image goes through a detector."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from delineate import __version__
from delineate.delineation.findings import findings, overall
from delineate.delineation.fit import demand_suitable, prepare, restore
from delineate.delineation.result import Delineation, DetectorIdentity, Provenance
from delineate.delineation.seams import merged
from delineate.delineation.tiling import cut, dressed
from delineate.imaging import Image
from delineate.plugins import Detection, DetectorSpec, Monitor, Options, registry
from delineate.plugins.host import Host
from delineate.plugins.options import parse
from delineate.plugins.reference import referenced
from delineate.plugins.runner import InProcess, Runner

__all__ = ["delineate", "own_versions"]

_PREPARED, _DETECTED, _RESTORED = 0.03, 0.9, 0.94  # how far each stage brings the whole


def delineate(
    image: Image,
    detector: str | DetectorSpec,
    options: Options | Mapping[str, object] | None = None,
    monitor: Monitor | None = None,
    runner: Runner | None = None,
) -> Delineation:
    """Find things in an image.

    The image is brought to the orientation and spacing that the detector wants, and cut into tiles
    where it wants them; what it finds is put together, brought back, checked against what it
    declares, outlined and measured.

    Parameters
    ----------
    image
        What to look at; stays as it is.
    detector
        Id of an installed one, or a spec, installed or not.
    options
        Values by name, or an instance of the spec's options; an option that names another image
        takes an `Image`.
    monitor
        Is told the progress and may cancel.
    runner
        Where the detector runs: a :class:`~delineate.plugins.host.Host` of the same detector for
        a process of its own that stays warm. By default here, loaded anew for this call, unless
        the detector names a Python of its own.

    Raises
    ------
    UnknownDetectorError, PluginLoadError, OptionError, UnsuitableImageError
        Before anything is computed.
    BadDetectionError, DetectorCrashError, DetectorError
        If the detector is to blame.
    Cancelled
        If ``monitor`` said so.
    """
    spec = registry.find(detector) if isinstance(detector, str) else detector
    chosen = options if isinstance(options, spec.options) else _parsed(spec, options)
    monitor = monitor if monitor is not None else Monitor()
    if runner is None and spec.interpreter is not None:
        with Host(spec) as host:
            return delineate(image, spec, chosen, monitor, host)
    runner = runner if runner is not None else InProcess(spec)
    if runner.spec.id != spec.id:
        raise ValueError(f"the runner is for detector {runner.spec.id}, not for {spec.id}")
    demand_suitable(image, spec)

    started = time.perf_counter()
    created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    monitor.progress(0.0, "preparing")
    prepared = prepare(image, spec.wants)
    monitor.checkpoint()
    monitor.progress(_PREPARED, "detecting")
    detection = _detected(prepared, spec, chosen, monitor.part(_PREPARED, _DETECTED), runner)
    monitor.checkpoint()
    monitor.progress(_DETECTED, "restoring")
    restored = replace(detection, output=restore(detection.output, image.grid))
    monitor.checkpoint()
    monitor.progress(_RESTORED, "outlining")
    outlining = monitor.part(_RESTORED, 1.0)
    found = findings(restored, image, lambda part: outlining.progress(part, "outlining"))
    provenance = Provenance(
        image_hash=image.content_hash,
        created=created,
        seconds=round(time.perf_counter() - started, 3),
        options=chosen.model_dump(mode="json"),
        references={name: one.image.content_hash for name, one in referenced(chosen).items()},
        device=detection.device,
        weights=spec.weights,
        versions=own_versions() | dict(detection.versions),
    )
    monitor.progress(1.0, "done")
    return Delineation(
        image=image,
        detector=DetectorIdentity.of(spec),
        output=restored.output,
        findings=found,
        overall=overall(restored, spec),
        provenance=provenance,
        notes=(*image.notes, *detection.remarks),
    )


def _detected(
    image: Image, spec: DetectorSpec, options: Options, monitor: Monitor, runner: Runner
) -> Detection:
    """What the detector finds in a prepared image, tile by tile where it wants tiles."""
    tiles = cut(image.grid.shape, spec.wants)
    parts = []
    for number, tile in enumerate(tiles):
        monitor.checkpoint()
        share = monitor.part(number / len(tiles), (number + 1) / len(tiles))
        parts.append((tile, runner.run(dressed(image, spec.wants, tile), options, share)))
    return merged(parts, image.grid, spec)


def _parsed(spec: DetectorSpec, options: Options | Mapping[str, object] | None) -> Options:
    if isinstance(options, Options):
        raise TypeError(
            f"expected options of {spec.id} as {spec.options.__name__} or a mapping, got "
            f"{type(options).__name__}"
        )
    return parse(spec, options or {})


def own_versions() -> dict[str, str]:
    """Of what every result depends on."""
    return {"delineate": __version__, "python": platform.python_version(), "numpy": np.__version__}
