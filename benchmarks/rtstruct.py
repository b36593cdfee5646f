"""Write and read RT Structure Sets, beside rt-utils.

``python benchmarks/rtstruct.py [slices]`` (300 unless told), with ``benchmarks/requirements.txt``
installed. Twelve synthetic organs with holes on a CT series of 512 x 512 samples. Writing goes
from labels to the file, tracing included; reading from the file to one mask an organ, each program
its own file, and delineate that of rt-utils too. rt-utils is given the masks ready made; it loads
the series each time, as it cannot do without. What is compiled is compiled beforehand.

Dice compares the labels with what delineate's reader makes of a file: it fills at sample centres,
as most programs do. rt-utils fills its own contours with OpenCV, borders included, so its own
reader is measured too (``own_reader``).
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rt_utils import RTStructBuilder

sys.path.insert(0, str(Path(__file__).resolve().parent))

from contours import organs
from measure import compare, report

from delineate.contour import trace_all
from delineate.formats import read, rtstruct
from delineate.formats.dicom import write_series
from delineate.imaging import Image, LabelMap

SLICES = int(sys.argv[1]) if len(sys.argv) > 1 else 300


def write_with_rt_utils(series: Path, masks: Mapping[str, NDArray[np.bool_]], path: Path) -> None:
    builder = RTStructBuilder.create_new(dicom_series_path=str(series))
    for name, mask in masks.items():
        builder.add_roi(mask=mask, name=name)
    builder.save(str(path))


def read_with_rt_utils(series: Path, path: Path) -> dict[str, NDArray[np.bool_]]:
    builder = RTStructBuilder.create_from(dicom_series_path=str(series), rt_struct_path=str(path))
    return {name: builder.get_roi_mask_by_name(name) for name in builder.get_roi_names()}


def mean_dice(labelmap: LabelMap, masks: Mapping[str, NDArray[np.bool_]]) -> float:
    scores = []
    for label, category in labelmap.categories.items():
        ours, theirs = labelmap.mask(label), masks[category.name]
        scores.append(2.0 * np.count_nonzero(ours & theirs) / (ours.sum() + theirs.sum()))
    return float(np.mean(scores))


def main() -> None:
    warnings.simplefilter("ignore")  # rt-utils' remarks
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        series, own, other = folder / "ct", folder / "delineate.dcm", folder / "rt_utils.dcm"
        made = organs(SLICES)
        write_series(Image(np.zeros(made.grid.shape, np.int16), made.grid, "CT"), series)
        image = read(series)
        labelmap = LabelMap(made.array, image.grid, made.categories)
        ready = {  # rt-utils wants (row, column, slice), the slices as it sorts them
            category.name: np.ascontiguousarray(np.moveaxis(labelmap.mask(label), 0, -1))
            for label, category in labelmap.categories.items()
        }
        rtstruct.write(trace_all(labelmap), image, own)
        rtstruct.masks(rtstruct.read(own), image.grid)
        writing = compare(
            {
                "delineate": lambda: rtstruct.write(trace_all(labelmap), image, own),
                "rt_utils": lambda: write_with_rt_utils(series, ready, other),
            },
            repeats=3,
            warm_up=False,
        )
        reading = compare(
            {
                "delineate": lambda: rtstruct.masks(rtstruct.read(own), image.grid),
                "delineate_of_rt_utils": lambda: rtstruct.masks(rtstruct.read(other), image.grid),
                "rt_utils": lambda: read_with_rt_utils(series, other),
            },
            repeats=3,
            warm_up=False,
        )
        theirs = {
            name: np.moveaxis(mask, -1, 0)
            for name, mask in read_with_rt_utils(series, other).items()
        }
        figures = {
            "slices": SLICES,
            **{f"write_{who}_s": value for who, value in writing.items()},
            **{f"read_{who}_s": value for who, value in reading.items()},
            "dice_delineate": mean_dice(labelmap, rtstruct.masks(rtstruct.read(own), image.grid)),
            "dice_rt_utils": mean_dice(labelmap, rtstruct.masks(rtstruct.read(other), image.grid)),
            "dice_rt_utils_own_reader": mean_dice(labelmap, theirs),
            "bytes_delineate": own.stat().st_size,
            "bytes_rt_utils": other.stat().st_size,
        }
    ratios = {
        "write_vs_rt_utils": writing["rt_utils"] / writing["delineate"],
        "read_vs_rt_utils": reading["rt_utils"] / reading["delineate"],
        "read_same_file_vs_rt_utils": reading["rt_utils"] / reading["delineate_of_rt_utils"],
    }
    report("rtstruct", figures, ratios)


if __name__ == "__main__":
    main()
