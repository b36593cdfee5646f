"""Read a CT series: delineate, pydicom and SimpleITK side by side.

``python benchmarks/reading.py [slices [syntax ...]]``, 300 and all unless told; needs a megabyte a
slice in the folder for temporary files. The scan is a generated torso of thirty slices of 512 x
512, repeated, which packs about as a real one does (3.5 to 1 by JPEG-LS). Each contender ends with
one volume in Hounsfield units; the files are in the page cache.

The peak of memory is that of a fresh process which reads once, the interpreter and the libraries
included (Linux). What Numba compiles once per machine for lossless JPEG is measured apart; pydicom
has no decoder for that with a permissive licence.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import SimpleITK as sitk  # noqa: N813
from pydicom.encaps import encapsulate
from pydicom.pixels import apply_rescale
from pydicom.uid import JPEG2000Lossless, JPEGLosslessSV1, JPEGLSLossless, RLELossless

sys.path.insert(0, str(Path(__file__).resolve().parent))

from measure import compare, report

from delineate.formats import inspect, read
from delineate.formats.dicom import write_series
from delineate.imaging import Grid, Image
from delineate.phantom import torso

SIZE, DISTINCT = 512, 30
Samples = np.ndarray[Any, np.dtype[np.int16]]


def scan(slices: int) -> Image:
    image, _ = torso(1, (3.0, 0.8, 0.8), (-150.0, -150.0 + 3.0 * DISTINCT))
    rows, columns = (max(0, SIZE - size) for size in image.array.shape[1:])
    wide = np.pad(image.array, ((0, 0), (0, rows), (0, columns)), "reflect")[:, :SIZE, :SIZE]
    array = np.concatenate([wide] * -(-slices // len(wide)))[:slices]
    return Image(array, Grid.regular(array.shape, (1.5, 0.8, 0.8)), "CT")


def by_rle(samples: Samples) -> bytes:
    """PackBits of the high bytes and of the low ones, each row by itself."""
    cells = samples.astype("<i2").view(np.uint8).reshape(*samples.shape, 2)
    planes = [imagecodecs.packbits_encode(cells[..., k].copy(), axis=-1) for k in (1, 0)]
    planes = [plane + b"\0" * (len(plane) % 2) for plane in planes]
    offsets = [2, 64, 64 + len(planes[0]), *[0] * 13]
    return np.asarray(offsets, "<u4").tobytes() + b"".join(planes)


SYNTAXES: dict[str, tuple[Any, Callable[[Samples], bytes]]] = {
    "uncompressed": (None, bytes),
    "rle": (RLELossless, by_rle),
    "jpeg_2000": (
        JPEG2000Lossless,
        lambda x: imagecodecs.jpeg2k_encode(x, level=0, reversible=True, codecformat="j2k"),
    ),
    "jpeg_ls": (JPEGLSLossless, lambda x: imagecodecs.jpegls_encode(x.view(np.uint16))),
    "jpeg_lossless": (
        JPEGLosslessSV1,
        lambda x: imagecodecs.ljpeg_encode(x.view(np.uint16), bitspersample=16),
    ),
}


def compress(image: Image, source: list[Path], folder: Path, name: str) -> None:
    """The same series compressed."""
    folder.mkdir()
    syntax, encode = SYNTAXES[name]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        packed = list(pool.map(encode, image.array[:DISTINCT]))
    for index, path in enumerate(source):
        dataset = pydicom.dcmread(path)
        dataset.PixelData = encapsulate([packed[index % DISTINCT]])
        dataset["PixelData"].VR = "OB"
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.save_as(folder / path.name)


def by_delineate(folder: Path) -> Any:
    return read(folder).array


def by_pydicom(folder: Path) -> Any:
    slices = [pydicom.dcmread(path) for path in folder.iterdir()]
    slices.sort(key=lambda one: float(one.ImagePositionPatient[2]))
    return np.stack([apply_rescale(one.pixel_array, one) for one in slices])


def by_simpleitk(folder: Path) -> Any:
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


READERS = {"delineate": by_delineate, "pydicom": by_pydicom, "simpleitk": by_simpleitk}


def alone(reader: str, folder: Path, **environment: str) -> tuple[float, float]:
    """Peak memory in MB and seconds of one reading in a process of its own."""
    answer = subprocess.run(
        [sys.executable, __file__, "--alone", reader, str(folder)],
        env=os.environ | environment,
        check=True,
        capture_output=True,
        text=True,
    )
    megabytes, seconds = answer.stdout.split()
    return float(megabytes), float(seconds)


def read_alone(reader: str, folder: Path) -> None:
    warnings.simplefilter("ignore")
    start = time.perf_counter()
    volume = READERS[reader](folder)
    seconds = time.perf_counter() - start
    del volume
    # The peak that getrusage knows is also that of the process which started this one.
    status = Path("/proc/self/status").read_text()
    print(int(status.split("VmHWM:")[1].split()[0]) / 1024, seconds)


def main(slices: int, chosen: list[str]) -> None:
    warnings.simplefilter("ignore")
    image = scan(slices)
    figures: dict[str, float] = {"slices": slices, "volume_mb": image.array.nbytes / 2**20}
    ratios: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        plain = write_series(image, Path(name) / "uncompressed")
        for syntax in chosen or SYNTAXES:
            folder = Path(name) / syntax
            if syntax != "uncompressed":
                compress(image, plain, folder, syntax)
                packed = sum(path.stat().st_size for path in folder.iterdir())
                figures[f"{syntax}_compression"] = image.array.nbytes / packed
            if syntax == "jpeg_lossless":
                with tempfile.TemporaryDirectory() as empty:
                    _, first = alone("delineate", folder, NUMBA_CACHE_DIR=empty)
                    _, again = alone("delineate", folder, NUMBA_CACHE_DIR=empty)
                figures[f"{syntax}_delineate_compile_s"] = first - again
            contenders = {
                who: lambda run=run, folder=folder: run(folder)  # type: ignore[misc]
                for who, run in READERS.items()
                if (syntax, who) != ("jpeg_lossless", "pydicom")
            }
            expected = sitk.GetArrayFromImage(by_simpleitk(folder))
            np.testing.assert_array_equal(read(folder).array, expected)
            del expected
            for who in contenders:
                figures[f"{syntax}_{who}_peak_mb"], _ = alone(who, folder)
            if syntax == "uncompressed":
                contenders["delineate_inspect"] = lambda folder=folder: inspect(folder)  # type: ignore[misc]
            seconds = compare(contenders, repeats=3, warm_up=False)  # all have run by now
            figures |= {f"{syntax}_{who}_s": value for who, value in seconds.items()}
            for other in ("simpleitk", "pydicom"):
                if other in contenders:
                    ratios[f"{syntax}_vs_{other}"] = seconds[other] / seconds["delineate"]
    report("reading", figures, ratios)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--alone"]:
        read_alone(sys.argv[2], Path(sys.argv[3]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 300, sys.argv[2:])
