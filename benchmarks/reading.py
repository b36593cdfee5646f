"""Read a CT series: delineate, pydicom and SimpleITK side by side.

``python benchmarks/reading.py [slices [syntax ...]]``, 300 and all unless told; needs a megabyte a
slice in the folder for temporary files. Each contender ends with one volume in Hounsfield units;
the files are in the page cache.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import SimpleITK as sitk  # noqa: N813
from pydicom.pixels import apply_rescale
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

sys.path.insert(0, str(Path(__file__).resolve().parent))

from measure import compare, report

from delineate.formats import inspect, read
from delineate.formats.dicom import write_series
from delineate.imaging import Grid, Image

SLICES = int(sys.argv[1]) if len(sys.argv) > 1 else 300
CHOSEN = sys.argv[2:]
SIZE, DISTINCT = 512, 10
SYNTAXES = {
    "uncompressed": None,
    "rle": RLELossless,
    "jpeg_ls": JPEGLSLossless,
    "jpeg_2000": JPEG2000Lossless,
}


def scan() -> Image:
    """Air, a body of soft tissue and noise, so that it compresses about as a CT does."""
    row, column = np.mgrid[:SIZE, :SIZE] / SIZE - 0.5
    body = np.where((row / 0.35) ** 2 + (column / 0.42) ** 2 < 1, 40, -1000)
    noise = np.random.default_rng(0).normal(0, 12, (DISTINCT, SIZE, SIZE))
    slices = np.clip(body + noise, -1024, 3071).astype(np.int16)
    array = np.concatenate([slices] * (SLICES // DISTINCT))
    return Image(array, Grid.regular(array.shape, (1.5, 0.8, 0.8)), "CT")


def compress(source: list[Path], folder: Path, syntax: Any) -> None:
    """The same series compressed; only a few slices differ, so only those are encoded."""
    folder.mkdir()
    packed: list[tuple[bytes, Any]] = []
    for index, path in enumerate(source):
        dataset = pydicom.dcmread(path)
        if index < DISTINCT:
            dataset.compress(syntax, generate_instance_uid=False)
            packed.append((dataset.PixelData, dataset.file_meta))
        else:
            dataset.PixelData = packed[index % DISTINCT][0]
            dataset.file_meta.TransferSyntaxUID = syntax
            dataset["PixelData"].VR = "OB"
        dataset.save_as(folder / path.name)


def by_pydicom(folder: Path) -> Any:
    slices = [pydicom.dcmread(path) for path in folder.iterdir()]
    slices.sort(key=lambda one: float(one.ImagePositionPatient[2]))
    return np.stack([apply_rescale(one.pixel_array, one) for one in slices])


def by_simpleitk(folder: Path) -> Any:
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


def main() -> None:
    warnings.simplefilter("ignore")
    image = scan()
    figures: dict[str, float] = {"slices": SLICES}
    ratios: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        paths = write_series(image, Path(name) / "uncompressed")
        for syntax, uid in SYNTAXES.items():
            if CHOSEN and syntax not in CHOSEN:
                continue
            folder = Path(name) / syntax
            if uid is not None:
                compress(paths, folder, uid)
            contenders: dict[str, Callable[[], object]] = {
                "delineate": lambda folder=folder: read(folder),  # type: ignore[misc]
                "pydicom": lambda folder=folder: by_pydicom(folder),  # type: ignore[misc]
                "simpleitk": lambda folder=folder: by_simpleitk(folder),  # type: ignore[misc]
            }
            np.testing.assert_array_equal(
                read(folder).array, sitk.GetArrayFromImage(by_simpleitk(folder))
            )
            if uid is None:
                contenders["delineate_inspect"] = lambda folder=folder: inspect(folder)  # type: ignore[misc]
            seconds = compare(contenders, repeats=3)
            figures |= {f"{syntax}_{who}_s": value for who, value in seconds.items()}
            for other in ("simpleitk", "pydicom"):
                ratios[f"{syntax}_vs_{other}"] = seconds[other] / seconds["delineate"]
    report("reading", figures, ratios)


if __name__ == "__main__":
    main()
