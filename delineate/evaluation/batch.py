"""Find things in many images with one detector, and keep every result."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from delineate import delineation, formats
from delineate.delineation import Delineation
from delineate.errors import Cancelled, DelineateError, DetectorError, InputError
from delineate.evaluation.layouts import find_images, image_name
from delineate.evaluation.results import RESULT, document, is_result
from delineate.formats.sniff import kind_of
from delineate.imaging import Image
from delineate.plugins import DetectorSpec, Field, Options, registry
from delineate.plugins.host import Host
from delineate.plugins.options import parse
from delineate.plugins.reference import referenced, resolved

__all__ = ["RESULTS", "Failure", "images_of", "keep_result", "segment"]

RESULTS = "results"


@dataclass(frozen=True, slots=True)
class Failure:
    """A case that has no result.

    Parameters
    ----------
    case
        Its name.
    error
        Why.
    by_detector
        Whether the detector is to blame, not the image.
    """

    case: str
    error: str
    by_detector: bool


def images_of(root: Path) -> dict[str, Path]:
    """Images by case: one file or series, or a folder with a file or a series for each.

    Raises
    ------
    InputError
        If there is none.
    """
    if root.is_file():
        return {image_name(root): root}
    images = find_images(root)
    if images and all(path.is_file() and kind_of(path) == "dicom" for path in images.values()):
        return {root.absolute().name: root}
    if not images:
        raise InputError(f"{root.name} holds no image; expected a file or a series for each case")
    return images


def segment(
    images: Mapping[str, Path],
    detector: str | DetectorSpec,
    folder: Path | str,
    *,
    options: Options | Mapping[str, object] | None = None,
    export: Sequence[str] = (),
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> list[Failure]:
    """Run a detector on every image, one at a time, in one warm process.

    Each result is a folder in ``folder/results`` that appears as a whole. One that is there, of
    the same samples, detector, weights and options, stays as it is: a run that was killed goes on
    where it was.

    Parameters
    ----------
    images
        Files by case.
    detector, options
        As for :func:`~delineate.delineation.delineate`; options that name an image take a path.
    folder
        Where to.
    export
        Formats beside ``delineation.json``; a field is always exported.
    progress
        Is told how many images of how many are done.

    Returns
    -------
    list of Failure
        Cases that have no result. They do not stop the others.

    Raises
    ------
    UnknownDetectorError, PluginLoadError, OptionError
        Before anything is read.
    """
    spec = registry.find(detector) if isinstance(detector, str) else detector
    given = options if isinstance(options, Options) else parse(spec, dict(options or {}))
    chosen = resolved(given, formats.read)
    failures = []
    results = Path(folder) / RESULTS
    results.mkdir(parents=True, exist_ok=True)
    wanted = tuple(dict.fromkeys((*export, *(("field",) if spec.gives == "field" else ()))))
    with Host(spec) as host:
        progress(0, len(images))
        for number, (case, path) in enumerate(images.items(), 1):
            try:
                _one(path, spec, chosen, results / case, wanted, host)
            except Cancelled:
                raise
            except (DelineateError, OSError) as error:
                shutil.rmtree(results / case, ignore_errors=True)  # of other samples or options
                text = str(error).replace(str(path), path.name)
                failures.append(Failure(case, text, isinstance(error, DetectorError)))
            progress(number, len(images))
    return failures


def _one(
    path: Path,
    spec: DetectorSpec,
    options: Options,
    folder: Path,
    wanted: Sequence[str],
    host: Host,
) -> None:
    image = formats.read(path)
    if is_result(folder) and _is_of(folder, image, spec, options, wanted):
        return
    keep_result(delineation.delineate(image, spec, options, runner=host), wanted, folder)


def keep_result(found: Delineation, wanted: Sequence[str], folder: Path) -> None:
    """Write a result into a folder, which appears as a whole and takes the place of one before.

    A field is always exported: without its samples it cannot be scored.
    """
    if isinstance(found.output, Field):
        wanted = tuple(dict.fromkeys((*wanted, "field")))
    scratch = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(scratch, ignore_errors=True)
    delineation.export(found, wanted, scratch)
    shutil.rmtree(folder, ignore_errors=True)
    scratch.replace(folder)


def _is_of(
    folder: Path, image: Image, spec: DetectorSpec, options: Options, wanted: Sequence[str]
) -> bool:
    """Whether a kept result is what would be found again."""
    try:
        held = document(folder)
        made, detector = held["provenance"], held["detector"]
        kept: list[Any] = [
            held["image"]["hash"],
            detector["id"],
            detector["version"],
            made["options"],
            made["references"],
            [(file["name"], file["sha256"]) for file in made["weights"]],
        ]
    except (DelineateError, KeyError, TypeError):
        return False
    references = {name: one.image.content_hash for name, one in referenced(options).items()}
    files = {delineation.EXPORTS[name].file for name in wanted}
    return all((folder / name).is_file() for name in files | {RESULT}) and kept == [
        image.content_hash,
        spec.id,
        spec.version,
        options.model_dump(mode="json"),
        references,
        [(file.name, file.sha256) for file in spec.weights],
    ]
